"""Fetching, unpacking and deriving, on a server that misbehaves and on one real corpus."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lens_core.adapters import corpora, package_index
from lens_core.adapters.corpora import CorpusStore, FetchProgress, digest_of_tree
from lens_core.adapters.package_index import PackageIndex
from lens_core.catalogue import parse_catalogue
from lens_core.errors import IntegrityError, Unavailable
from lens_core.model import Archive, Corpus, Slice
from lens_core.questions import first_sentence
from lens_core.truth import TRUTH_RULES_VERSION

DATA = Path(__file__).parents[2] / "data"
CACHE = DATA / "home" / "corpora"
TEXT = '"""Module words."""\n\n\ndef load_key(name):\n    """Read one key from the disk at once.\n\n    x\n    """\n'
SCRIPT = "/** Writes one key to the disk at once. */\nexport function saveKey(a) {\n\n  return a;\n}\n"


def tarball(files: dict[str, str]) -> bytes:
    """A gzipped tar file of `package/…`, as npm packs it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), mtime=0)


CONTENT = tarball({"src/a.py": TEXT, "src/b.js": SCRIPT, "src/readme.md": "no", "lib/c.py": "no = 1\n"})


@dataclass
class Server:
    """A registry of one file on loopback that can be told to misbehave; it records what it was asked for."""

    url: str = ""
    content: bytes = CONTENT
    honours_range: bool = True
    cut_after: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)


class _Handler(BaseHTTPRequestHandler):
    behaviour: Server

    def do_GET(self) -> None:
        server = self.behaviour
        if self.path in server.pages:
            kind, content = server.pages[self.path]
            self._answer(200, {"Content-Type": kind, "Content-Length": str(len(content))}, content)
        elif self.path == "/file.tgz":
            self._file(server)
        else:
            self._answer(404, {"Content-Length": "0"}, b"")

    def _file(self, server: Server) -> None:
        asked = self.headers["Range"]
        server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.honours_range else 0
        if start >= len(server.content):
            self._answer(416, {"Content-Length": "0"}, b"")
            return
        headers = {"Content-Length": str(len(server.content) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(server.content) - 1}/{len(server.content)}"
        end = start + server.cut_after.pop(0) if server.cut_after else None
        self._answer(206 if start else 200, headers, server.content[start:end])

    def _answer(self, code: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A registry that behaves until it is told otherwise."""
    behaviour = Server()
    handler = type("Handler", (_Handler,), {"behaviour": behaviour})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        behaviour.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield behaviour
        http.shutdown()
        thread.join()


class Loopback(PackageIndex):
    """The real downloader, told where the archives are, and asking pip for nothing."""

    _pip_settings: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def locate(self, archive: Archive) -> str:
        return self._url + ("/file.tgz" if archive.name == "one" else "/missing.tgz")


def corpus(content: bytes = CONTENT, name: str = "one", slice_: str = "monorepo/mixed/large") -> Corpus:
    """A corpus of one archive with these bytes."""
    sha256 = hashlib.sha256(content).hexdigest()
    archive = Archive("npm", name, "1.0", f"{name}-1.0.tgz", sha256)
    return Corpus(Slice.parse(slice_), name, "1.0", "MIT", (archive,), ("src",))


def committed(folder: Path, which: Corpus, **changes: object) -> None:
    """Write the committed definitions of the corpus, right but for `changes`."""
    end = SCRIPT.index("\n")
    document = {
        "rules": TRUTH_RULES_VERSION,
        "archives": {archive.filename: archive.sha256 for archive in which.archives},
        "files": {"src/b.js": {"comments": [0, end], "definitions": [["saveKey", "function", 2, 5, 0]]}},
    }
    folder.mkdir(exist_ok=True)
    content = json.dumps(document | changes).encode()
    (folder / f"{which.slice.slug}.json.gz").write_bytes(gzip.compress(content, mtime=0))


@pytest.fixture
def store(tmp_path: Path, server: Server) -> CorpusStore:
    """An empty store that downloads from the loopback server."""
    committed(tmp_path / "definitions", corpus())
    return CorpusStore(tmp_path / "cache", tmp_path / "definitions", Loopback(server.url))


@pytest.fixture
def fetched(store: CorpusStore) -> CorpusStore:
    """A store that has its archive."""
    store.fetch([corpus()]).raise_first()
    return store


def archive_in(tmp_path: Path) -> Path:
    """Where the store keeps the archive."""
    return tmp_path / "cache" / "archives" / "one-1.0.tgz"


def test_fetch_downloads_once(store: CorpusStore, server: Server, tmp_path: Path) -> None:
    """A missing archive is downloaded, verified and kept; a second fetch asks nobody."""
    seen: list[FetchProgress] = []
    report = store.fetch([corpus()], on_progress=seen.append)
    assert (report.downloaded, report.cached, dict(report.errors)) == (("one-1.0.tgz",), (), {})
    assert archive_in(tmp_path).read_bytes() == CONTENT
    assert seen[-1] == FetchProgress("monorepo/mixed/large", "one-1.0.tgz", len(CONTENT), len(CONTENT))
    assert store.fetch([corpus()]).cached == ("one-1.0.tgz",)
    assert len(server.ranges) == 1


def test_fetch_goes_on_after_a_cut(store: CorpusStore, server: Server, tmp_path: Path) -> None:
    """A download that is cut goes on from the byte where it was cut."""
    server.cut_after = [100]
    store.fetch([corpus()]).raise_first()
    assert server.ranges == [None, "bytes=100-"]
    assert archive_in(tmp_path).read_bytes() == CONTENT


def test_fetch_gives_up_and_a_later_one_goes_on(store: CorpusStore, server: Server, tmp_path: Path) -> None:
    """After repeated cuts the corpus is reported unavailable; what has arrived is used by the next fetch."""
    server.cut_after = [50] * package_index.ATTEMPTS
    error = store.fetch([corpus()]).errors["monorepo/mixed/large"]
    assert isinstance(error, Unavailable)
    assert "monorepo/mixed/large" in error.message
    assert not archive_in(tmp_path).exists()
    store.fetch([corpus()]).raise_first()
    assert server.ranges[-1] == f"bytes={50 * package_index.ATTEMPTS}-"
    assert archive_in(tmp_path).read_bytes() == CONTENT


def test_fetch_restarts_where_ranges_are_ignored(store: CorpusStore, server: Server, tmp_path: Path) -> None:
    """A server that ignores the range gets its whole answer taken, not appended."""
    server.cut_after, server.honours_range = [100], False
    store.fetch([corpus()]).raise_first()
    assert server.ranges == [None, "bytes=100-"]
    assert archive_in(tmp_path).read_bytes() == CONTENT


def test_fetch_restarts_from_a_wrong_beginning(store: CorpusStore, server: Server, tmp_path: Path) -> None:
    """A partial file that is the beginning of something else is thrown away, and the archive fetched whole."""
    archive_in(tmp_path).parent.mkdir(parents=True)
    archive_in(tmp_path).with_name("one-1.0.tgz.part").write_bytes(b"wrong")
    store.fetch([corpus()]).raise_first()
    assert server.ranges == ["bytes=5-", None]


def test_fetch_takes_a_complete_part(store: CorpusStore, server: Server, tmp_path: Path) -> None:
    """A partial file that turns out to be complete is verified and taken."""
    archive_in(tmp_path).parent.mkdir(parents=True)
    archive_in(tmp_path).with_name("one-1.0.tgz.part").write_bytes(CONTENT)
    store.fetch([corpus()]).raise_first()
    assert archive_in(tmp_path).read_bytes() == CONTENT


def test_fetch_refuses_other_bytes(store: CorpusStore, server: Server, tmp_path: Path) -> None:
    """Bytes of another digest never enter the cache; the error names the corpus and both digests."""
    server.content = CONTENT[:-1] + b"x"
    error = store.fetch([corpus()]).errors["monorepo/mixed/large"]
    assert isinstance(error, IntegrityError)
    for part in ("monorepo/mixed/large", hashlib.sha256(CONTENT).hexdigest()):
        assert part in error.message
    assert hashlib.sha256(server.content).hexdigest() in error.message
    assert "again" in error.hint
    assert list(archive_in(tmp_path).parent.iterdir()) == []


def test_fetch_refuses_an_endless_download(store: CorpusStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that goes on past the limit is stopped and thrown away, and the error names the corpus."""
    monkeypatch.setattr(corpora, "MAX_ARCHIVE_BYTES", 100)
    error = store.fetch([corpus()]).errors["monorepo/mixed/large"]
    assert isinstance(error, IntegrityError)
    assert "monorepo/mixed/large" in error.message
    assert list(archive_in(tmp_path).parent.iterdir()) == []


def test_one_failure_hides_no_other(store: CorpusStore, server: Server) -> None:
    """A corpus that is gone is reported by slice with what to do, and the others are fetched all the same."""
    gone = corpus(b"gone", "gone", "backend/python/small")
    report = store.fetch([gone, corpus()])
    assert report.downloaded == ("one-1.0.tgz",)
    assert list(report.errors) == ["backend/python/small"]
    with pytest.raises(Unavailable, match=r"backend/python/small.*404") as caught:
        report.raise_first()
    assert "network" in caught.value.hint


def test_unreachable_registry_is_unavailable(tmp_path: Path, server: Server) -> None:
    """A registry that does not answer is Unavailable, and no address of it is told."""
    store = CorpusStore(tmp_path / "cache", tmp_path, Loopback("http://user:secret@127.0.0.1:1"))
    error = store.fetch([corpus()]).errors["monorepo/mixed/large"]
    assert isinstance(error, Unavailable)
    assert "secret" not in error.message + error.hint


def test_offline_fetch_asks_nobody(store: CorpusStore, server: Server) -> None:
    """Offline, what is cached is enough, and what is missing is an error that says how to fetch it."""
    error = store.fetch([corpus()], offline=True).errors["monorepo/mixed/large"]
    assert isinstance(error, Unavailable)
    assert "fetch" in error.hint
    store.fetch([corpus()]).raise_first()
    assert store.fetch([corpus()], offline=True).cached == ("one-1.0.tgz",)
    assert len(server.ranges) == 1


def test_damaged_archive_is_fetched_again_and_never_used(fetched: CorpusStore, server: Server, tmp_path: Path) -> None:
    """A damaged archive in the cache is an error wherever it is used, and a fetch replaces it."""
    archive_in(tmp_path).write_bytes(b"damaged")
    with pytest.raises(IntegrityError, match="expected sha256"):
        fetched.sources(corpus())
    assert isinstance(fetched.fetch([corpus()], offline=True).errors["monorepo/mixed/large"], IntegrityError)
    fetched.fetch([corpus()]).raise_first()
    assert fetched.sources(corpus()).is_dir()


def test_interrupted_fetch_leaves_whole_things_whole(
    store: CorpusStore, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends a fetch with nothing half made in the cache, and the next fetch completes it."""

    def interrupt(_: object) -> Iterator[object]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("lens_core.adapters.corpora.as_completed", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.fetch([corpus()])
    assert not archive_in(tmp_path).exists() or archive_in(tmp_path).read_bytes() == CONTENT
    store.fetch([corpus()]).raise_first()
    assert archive_in(tmp_path).read_bytes() == CONTENT


def test_trees_hold_the_source_files_only(fetched: CorpusStore) -> None:
    """The published tree has the included files of the language; the stripped one the same without words."""
    sources, stripped = fetched.sources(corpus()), fetched.stripped(corpus())
    for tree in (sources, stripped):
        assert sorted(p.relative_to(tree).as_posix() for p in tree.rglob("*.*")) == ["src/a.py", "src/b.js"]
    assert (sources / "src/a.py").read_text(encoding="utf-8") == TEXT
    assert (stripped / "src/b.js").read_text(encoding="utf-8").lstrip() == SCRIPT.partition("\n")[2]
    assert "Read one key" not in (stripped / "src/a.py").read_text(encoding="utf-8")


def test_several_archives_have_a_folder_each(store: CorpusStore, server: Server) -> None:
    """The archives of a corpus of several packages lie side by side, each by its name without scope."""
    first = corpus().archives[0]
    both = replace(corpus(), archives=(first, replace(first, name="@scope/two", filename="two.tgz")))
    for archive in both.archives:
        (store._archives).mkdir(parents=True, exist_ok=True)
        (store._archives / archive.filename).write_bytes(CONTENT)
    tree = store.sources(both)
    assert sorted(p.relative_to(tree).as_posix() for p in tree.rglob("*.py")) == ["one/src/a.py", "two/src/a.py"]


def test_tree_digest_is_recomputable(fetched: CorpusStore) -> None:
    """The digest of a tree is over the path and digest of each stripped file, sorted by path."""
    tree = fetched.stripped(corpus())
    lines = [
        f"{path.relative_to(tree).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in sorted(tree.rglob("*.*"))
    ]
    assert fetched.tree_digest(corpus()).hex == hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("tree", ["sources", "stripped"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "src/a.py").write_text("edited = 1\n"),
        lambda folder: (folder / "src/a.py").unlink(),
        lambda folder: (folder / "src/new.py").write_text("new = 1\n"),
        lambda folder: (folder.parent / "DIGEST").unlink(),
        lambda folder: (folder.parent / "DIGEST").write_bytes(b"\xff"),
    ],
)
def test_edited_tree_is_made_anew(fetched: CorpusStore, tree: str, damage: Callable[[Path], object]) -> None:
    """A tree that was edited, or was left half made, is never used: it is rebuilt from the archive."""
    before = digest_of_tree(contents(getattr(fetched, tree)(corpus())))
    damage(getattr(fetched, tree)(corpus()))
    after = getattr(fetched, tree)(corpus())
    assert digest_of_tree(contents(after)) == before
    assert [path.name for path in after.parent.parent.iterdir()] == [after.parent.name]


def contents(tree: Path) -> dict[str, bytes]:
    """All files below a folder, by path."""
    return {p.relative_to(tree).as_posix(): p.read_bytes() for p in tree.rglob("*") if p.is_file()}


def test_two_at_once_make_one_tree(fetched: CorpusStore) -> None:
    """Two that make the same tree at the same time both get it whole."""
    with ThreadPoolExecutor(4) as pool:
        trees = list(pool.map(lambda _: fetched.stripped(corpus()), range(8)))
    assert len(set(trees)) == 1
    assert set(contents(trees[0])) == {"src/a.py", "src/b.js"}


def test_unfetched_corpus_is_unavailable(store: CorpusStore) -> None:
    """Without its archive a corpus is Unavailable, and the hint says how to get it."""
    with pytest.raises(Unavailable, match="monorepo/mixed/large") as caught:
        store.stripped(corpus())
    assert "fetch" in caught.value.hint


def test_archive_without_sources_is_refused(fetched: CorpusStore) -> None:
    """An archive that has nothing of what is included is an error, not an empty corpus."""
    with pytest.raises(IntegrityError, match="no source file"):
        fetched.sources(replace(corpus(), include=("other",)))


@pytest.mark.parametrize(
    "changes", [{"archives": {"one-1.0.tgz": "00"}}, {"rules": 0}, {"files": {}}, {"files": {"src/c.js": {}}}]
)
def test_definitions_of_other_archives_are_refused(
    fetched: CorpusStore, tmp_path: Path, changes: dict[str, object]
) -> None:
    """Committed definitions of other archives, files or rules are refused, never applied."""
    committed(tmp_path / "definitions", corpus(), **changes)
    with pytest.raises(IntegrityError):
        fetched.stripped(corpus())


@pytest.mark.parametrize("content", [None, b"no gzip", gzip.compress(b"\xff")], ids=["none", "text", "gzip"])
def test_unreadable_definitions_are_refused(fetched: CorpusStore, tmp_path: Path, content: bytes | None) -> None:
    """Missing or damaged committed definitions are an integrity error that says where they come from."""
    place = tmp_path / "definitions" / "monorepo-mixed-large.json.gz"
    place.unlink() if content is None else place.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"monorepo-mixed-large\.json\.gz") as caught:
        fetched.definitions(corpus())
    assert "version control" in caught.value.hint


def test_definitions_come_from_both_parsers(fetched: CorpusStore) -> None:
    """A mixed corpus has the definitions of its Python files and of its scripts, by place."""
    found = [(item.path, item.name, item.start_line, item.end_line) for item in fetched.definitions(corpus())]
    assert found == [("src/a.py", "load_key", 4, 8), ("src/b.js", "saveKey", 2, 5)]


def test_questions_are_asked_about_both(fetched: CorpusStore) -> None:
    """Questions and leak probes are derived from Python docstrings and from JSDoc alike."""
    asked = {item.text for item in fetched.questions(corpus(), 1).questions if item.query_class == "nl"}
    assert asked == {"Read one key from the disk at once", "Writes one key to the disk at once"}
    assert {probe.sentence for probe in fetched.held_out(corpus(), 1, 5)} == asked


def test_text_that_is_not_utf8_is_refused(store: CorpusStore, server: Server) -> None:
    """A source file in another encoding is an error that names it, not a file that is guessed at."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        info = tarfile.TarInfo("package/src/a.py")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"\xe9"))
    server.content = raw.getvalue()
    which = corpus(server.content)
    store.fetch([which]).raise_first()
    with pytest.raises(IntegrityError, match=r"src/a\.py is not UTF-8"):
        store.stripped(which)


@pytest.fixture
def configured(server: Server, monkeypatch: pytest.MonkeyPatch) -> PackageIndex:
    """The real index, configured for the loopback server as pip and npm are configured: by their settings."""
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"{server.url}/npm/")
    return PackageIndex()


PYPI = Archive("pypi", "My.Package", "1.0", "my_package-1.0.tar.gz", "00")
NPM = Archive("npm", "@scope/one", "1.0", "scope-one-1.0.tgz", "00")


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (
            "application/vnd.pypi.simple.v1+json",
            b'{"files": [{"filename": "my_package-1.0.tar.gz", "url": "../../file.tgz"}]}',
        ),
        ("text/html", b'<a href="../../my_package-1.0.tar.gz#sha256=00">x</a><a name="y">y</a>'),
    ],
)
def test_pypi_archive_is_found_by_its_name(configured: PackageIndex, server: Server, kind: str, page: bytes) -> None:
    """A package index answers in JSON or HTML; links are relative to the page, names are normalised."""
    server.pages["/simple/my-package/"] = (kind, page)
    last = "file.tgz" if b"files" in page else "my_package-1.0.tar.gz#sha256=00"
    assert configured.locate(PYPI) == f"{server.url}/{last}"


def test_npm_archive_is_found_by_its_version(configured: PackageIndex, server: Server) -> None:
    """The registry that npm itself is configured for names the tarball of a version."""
    document = json.dumps({"dist": {"tarball": f"{server.url}/file.tgz"}}).encode()
    server.pages["/npm/@scope%2Fone/1.0"] = ("application/json", document)
    assert configured.locate(NPM) == f"{server.url}/file.tgz"


def test_archive_that_the_index_lacks_is_unavailable(configured: PackageIndex, server: Server) -> None:
    """An index without the pinned file is Unavailable and names the file."""
    server.pages["/simple/my-package/"] = ("text/html", b"<a href='other-1.0.tar.gz'>x</a>")
    with pytest.raises(Unavailable, match=r"not my_package-1\.0\.tar\.gz"):
        configured.locate(PYPI)


@pytest.mark.parametrize("page", [b"{}", b"[]", b"no json", b'{"dist": 1}'])
def test_answer_that_is_not_understood_is_unavailable(configured: PackageIndex, server: Server, page: bytes) -> None:
    """A registry that answers something else (a login page, say) is Unavailable, not a crash."""
    server.pages["/npm/@scope%2Fone/1.0"] = ("application/json", page)
    with pytest.raises(Unavailable, match="not understood"):
        configured.locate(NPM)


def test_silent_tools_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """When neither pip nor npm says where its packages are, the error says what to set."""
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.delenv("NPM_CONFIG_REGISTRY", raising=False)
    monkeypatch.setattr(package_index, "_ask", lambda _: "")
    with pytest.raises(Unavailable) as pypi:
        PackageIndex().locate(PYPI)
    with pytest.raises(Unavailable) as npm:
        PackageIndex().locate(NPM)
    assert "PIP_INDEX_URL" in pypi.value.hint
    assert "NPM_CONFIG_REGISTRY" in npm.value.hint


def test_tool_that_is_missing_or_fails_says_nothing() -> None:
    """A tool that is not installed, or that fails, is one that says nothing."""
    assert package_index._ask(["/nowhere/npm"]) == ""
    assert package_index._ask(["false"]) == ""


@pytest.fixture(scope="module")
def flask() -> tuple[CorpusStore, Corpus]:
    """The smallest real Python corpus, from the cache or from the configured registry."""
    catalogue = parse_catalogue((DATA / "slices.toml").read_text(encoding="utf-8"))
    (corpus_,) = catalogue.select(["backend"], ["python"], ["small"])
    store = CorpusStore(CACHE, DATA / "definitions")
    store.fetch([corpus_]).raise_first()
    return store, corpus_


def test_real_corpus_has_the_pinned_files(flask: tuple[CorpusStore, Corpus]) -> None:
    """The wheel of flask 3.1.3 has 24 files of 7,351 lines that are not blank, and 414 definitions."""
    store, which = flask
    files = sorted(store.sources(which).rglob("*.py"))
    lines = [line for file in files for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    assert (len(files), len(lines), len(store.definitions(which))) == (24, 7351, 414)


def test_real_corpus_does_not_answer_for_the_engine(flask: tuple[CorpusStore, Corpus]) -> None:
    """No nl question and no leak probe of a real corpus stands in what is indexed."""
    store, which = flask
    stripped = "\n".join(file.read_text(encoding="utf-8") for file in store.stripped(which).rglob("*.py"))
    questions = store.questions(which, seed=7)
    asked = [item.text for item in questions.questions if item.query_class == "nl"]
    probes = store.held_out(which, 7, 40)
    assert len(asked) > 150
    assert len(probes) == 40
    assert not [sentence for sentence in asked if sentence in stripped]
    for probe in probes:
        assert probe.sentence in (store.sources(which) / probe.path).read_text(encoding="utf-8")
        assert probe.sentence not in stripped
        assert first_sentence(probe.sentence) == probe.sentence
    assert store.questions(which, seed=7) == questions
