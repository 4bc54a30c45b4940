"""Every place that keeps heads of the audit log behaves alike: a fake, a file, a folder, a git ref, an address."""

import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from audit_logs import Key, anchor, log

from lens_core.adapters.audit_anchors import FileAnchors, FolderAnchors, anchor_line
from lens_core.adapters.audit_anchors_git import GitAnchors
from lens_core.adapters.audit_anchors_https import HttpsAnchors
from lens_core.errors import IntegrityError, InvalidInput, Unavailable

ONE, TWO, THREE = (anchor(kept) for kept in log(3, Key()))


class FakeAnchors:
    """A place in memory."""

    name = "memory"

    def __init__(self):
        self.kept = []

    def keep(self, one):
        """See ``AuditAnchors``."""
        if not self.kept or self.kept[-1] != one:
            self.kept.append(one)

    def anchors(self):
        """See ``AuditAnchors``."""
        return sorted(self.kept, key=lambda one: one.number)


class Shelf(BaseHTTPRequestHandler):
    """Takes lines by POST, each head once, and gives them all by GET; answers what ``server.code`` says."""

    def do_POST(self):
        """Keep one."""
        line = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.code == 200:
            self.server.lines.setdefault(self.headers["Idempotency-Key"], line)
        self.server.tokens.add(self.headers["Authorization"])
        self.answer(b"")

    def do_GET(self):
        """Give all."""
        self.answer(b"".join(line + b"\n" for line in self.server.lines.values()))

    def answer(self, body):
        """Say it."""
        self.send_response(self.server.code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def shelf():
    """An address that keeps anchors."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Shelf) as server:
        server.lines, server.code, server.tokens = {}, 200, set()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def address(server):
    """Where it listens."""
    return f"http://127.0.0.1:{server.server_port}/heads"


@pytest.fixture
def repository(tmp_path):
    """A git repository with a file that is not committed."""
    folder = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "work.txt").write_text("in progress")
    return folder


@pytest.fixture(params=["fake", "file", "folder", "git", "https"])
def place(request, tmp_path):
    """A function that opens the same place again, as another process would."""
    match request.param:
        case "fake":
            fake = FakeAnchors()
            return lambda: fake
        case "file":
            return lambda: FileAnchors(tmp_path / "deep" / "anchors.jsonl")
        case "folder":
            return lambda: FolderAnchors(tmp_path / "deep" / "anchors")
        case "git":
            folder = request.getfixturevalue("repository")
            return lambda: GitAnchors(folder)
        case "https":
            server = request.getfixturevalue("shelf")
            return lambda: HttpsAnchors(address(server), 5, {})


def test_what_was_kept_is_read_back_in_order(place):
    """Every anchor comes back as it was, oldest first, by whoever opens the place."""
    assert list(place().anchors()) == []
    for one in (ONE, TWO, THREE):
        place().keep(one)
    assert list(place().anchors()) == [ONE, TWO, THREE]


def test_keeping_the_newest_again_changes_nothing(place):
    """A repeated head is there once."""
    for one in (ONE, TWO, TWO):
        place().keep(one)
    assert list(place().anchors()) == [ONE, TWO]


def test_another_head_of_the_same_entry_is_kept_beside_it(place):
    """A log that was rewritten and anchored again does not overwrite what was kept before."""
    other = replace(TWO, head=THREE.head, signature=THREE.signature)
    for one in (ONE, TWO, other):
        place().keep(one)
    assert set(place().anchors()) == {ONE, TWO, other}


def test_many_who_keep_at_once_lose_nothing(place):
    """Each head arrives, whoever comes first."""
    anchors = [anchor(kept) for kept in log(8, Key())]
    threads = [threading.Thread(target=lambda one=one: place().keep(one)) for one in anchors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(place().anchors()) == anchors


def test_a_torn_line_costs_no_other(tmp_path):
    """A machine that died while it wrote left half a line: the next head stands on one of its own."""
    file = tmp_path / "anchors.jsonl"
    FileAnchors(file).keep(ONE)
    with file.open("ab") as opened:
        opened.write(anchor_line(TWO)[:40])
    FileAnchors(file).keep(THREE)
    assert list(FileAnchors(file).anchors()) == [ONE, THREE]


def test_a_line_that_is_no_anchor_is_said(tmp_path):
    """Somebody edited the file: that is no head, and no reason to overlook it."""
    (tmp_path / "anchors.jsonl").write_bytes(anchor_line(ONE).replace(b'"number":1', b'"number":"1"') + b"\n")
    with pytest.raises(IntegrityError, match="line 1"):
        FileAnchors(tmp_path / "anchors.jsonl").anchors()


def test_a_place_that_is_not_there_is_unavailable(tmp_path, shelf):
    """Each says in its own words what hinders it; none raises anything else."""
    (tmp_path / "wall").write_text("")
    shelf.code = 503
    places = [
        FileAnchors(tmp_path / "wall" / "anchors.jsonl"),
        FolderAnchors(tmp_path / "wall" / "anchors"),
        GitAnchors(tmp_path / "none"),
        HttpsAnchors(address(shelf), 5, {}),
        HttpsAnchors("http://127.0.0.1:9/heads", 5, {}),
    ]
    for one in places:
        with pytest.raises(Unavailable):
            one.keep(ONE)


def test_git_moves_a_ref_and_touches_nothing_else(repository):
    """HEAD, index and files of the repository are as they were, and the commits are the log's own."""
    look = ["git", "-C", repository, "status", "--porcelain=v2", "--branch"]
    before = subprocess.check_output(look)
    GitAnchors(repository).keep(ONE)
    GitAnchors(repository).keep(TWO)
    assert subprocess.check_output(look) == before
    said = ["git", "-C", repository, "log", "--format=%an %at", "refs/lens/audit"]
    lines = subprocess.check_output(said, text=True).splitlines()
    assert lines == [f"Lens audit log {one.at.timestamp():.0f}" for one in (TWO, ONE)]


@pytest.mark.parametrize("ref", ["main", "--upload-pack=x", "refs/heads/a b", ""])
def test_a_ref_that_is_none_is_refused(repository, ref):
    """What could be read as an option or as a branch that people work on is asked for again."""
    with pytest.raises(InvalidInput):
        GitAnchors(repository, ref)


def test_an_address_is_https_and_shows_no_secret(shelf):
    """Plain HTTP is for this machine only; a token is sent and neither it nor the query is ever named."""
    with pytest.raises(InvalidInput, match="https"):
        HttpsAnchors("http://example.org/heads", 5, {})
    place = HttpsAnchors(f"{address(shelf)}?key=hidden", 5, {"LENS_AUDIT_TOKEN": "also-hidden"})
    place.keep(ONE)
    assert shelf.tokens == {"Bearer also-hidden"}
    assert "hidden" not in place.name
