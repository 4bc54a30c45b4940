"""Sources that fail in every way that is known to give false greens: none of them is green, each says why."""

import gzip
import json
import shutil
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
from advisory_records import SMALL, deb, pypi, record, write_lines
from apt_archive import NOW, workshop, write_archive
from osv_server import osv_server, well

from lens_core.adapters.advisories_debian import DebianArchive
from lens_core.adapters.advisories_osv_api import OsvApi, Patience
from lens_core.adapters.advisories_osv_dir import OsvDirectory
from lens_core.adapters.apt_lists import AptLists
from lens_core.model import Verdict
from lens_core.supply.advisories import read_report, report_bytes
from lens_core.supply.advisory_gates import AdvisoryPolicy, answers
from lens_core.supply.vex import Waivers
from lens_core.supply.words import Component

FLASK, DEMO = pypi("flask", "3.0"), deb("libdemo1", "1.0-1+deb12u2", "demo")
POLICY = AdvisoryPolicy(max_age=timedelta(days=7))
OLD, SOON = "2025-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
PATIENCE = Patience(timeout_s=0.3, tries=2, backoff_s=0.01)

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("gpg", "gpgv", "dpkg-deb"))), reason="needs gpg, gpgv and dpkg"
)


def judge(report, now=NOW, components=(FLASK,)):
    """The answers by gate, from the report as it is kept."""
    return {one.gate: one for one in answers([read_report(report_bytes(report))], components, POLICY, now, Waivers())}


def expect_not_green(answer, why):
    """Not PASS and not WAIVED, for the reason that is meant."""
    assert answer.verdict in {Verdict.INCONCLUSIVE, Verdict.ERROR}
    assert why in answer.reason


def dated(modified):
    """The records as of another day."""
    return [{**one, "modified": modified} for one in SMALL]


FILES = {
    "empty directory": ("a.txt", b"", "holds no records"),
    "empty database": ("a.jsonl", b"", "database is empty"),
    "empty zip": ("a.zip", b"PK\x05\x06" + bytes(18), "database is empty"),
    "truncated gzip": ("a.jsonl.gz", gzip.compress(json.dumps(SMALL[0]).encode())[:-8], "cannot be read"),
    "truncated JSON": ("a.json", json.dumps(SMALL[0]).encode()[:-9], "cannot be read"),
    "HTML": ("a.json", b"<!doctype html>", "cannot be read"),
    "only withdrawn": ("a.json", json.dumps({**SMALL[0], "withdrawn": OLD}).encode(), "database is empty"),
    "stale": ("a.jsonl", "\n".join(map(json.dumps, dated(OLD))).encode(), "stale"),
    "future-dated": ("a.jsonl", "\n".join(map(json.dumps, dated(SOON))).encode(), "of the future"),
    "undated": ("a.jsonl", "\n".join(map(json.dumps, dated(""))).encode(), "does not say how old"),
    "canary missed": ("a.json", json.dumps(SMALL[1]).encode(), "recognised nothing that is known to be vulnerable"),
    "other ecosystem": ("a.json", json.dumps(record("X", "a", ecosystem="npm", versions=("1",))).encode(), "1 pypi"),
}


@pytest.mark.parametrize(("name", "content", "why"), FILES.values(), ids=FILES)
def test_files(tmp_path, name, content, why):
    """Damaged, empty, blind and misdated databases are not green."""
    (tmp_path / name).write_bytes(content)
    said = judge(OsvDirectory(tmp_path).ask([FLASK]))
    expect_not_green(said["dependency_audit"], why)
    expect_not_green(said["vulnerabilities"], "")


def test_one_broken_file_of_two(tmp_path):
    """What else is whole does not make up for a file that cannot be read."""
    write_lines(tmp_path / "a.jsonl", SMALL)
    (tmp_path / "b.json").write_text("{")
    expect_not_green(judge(OsvDirectory(tmp_path).ask([FLASK]))["dependency_audit"], "b.json cannot be read")


def test_unknown_severity(tmp_path):
    """A vulnerability of which nobody says how bad it is does not pass."""
    asked = pypi("mystery", "1.0")
    said = judge(OsvDirectory(write_lines(tmp_path / "a.jsonl", SMALL)).ask([asked]), components=(asked,))
    expect_not_green(said["dependency_audit"], "0 critical, 0 high, 1 unknown: PYSEC-3 in pkg:pypi/mystery@1.0")


def test_a_crate_among_python(tmp_path):
    """A component of an ecosystem without data is not covered by the data of another."""
    crate = Component("pkg:cargo/serde@1.0", "cargo", "serde", "1.0")
    said = judge(OsvDirectory(write_lines(tmp_path / "a.jsonl", SMALL)).ask([FLASK, crate]), components=(FLASK, crate))
    expect_not_green(said["dependency_audit"], "1 of 2 packages have no sound answer (1 cargo)")


def _batch(change):
    """Misbehave in answers to batches only; ``change`` gets the good answer."""

    def behave(path, body, good):
        return (200, {}, change(good)) if path == "/v1/querybatch" else (200, {}, good)

    return behave


def _records(answer):
    """Misbehave in records only."""
    return lambda path, _, good: answer if "/vulns/" in path else (200, {}, good)


def _slow(path, body, good):
    time.sleep(1)
    return 200, {}, good


def _always(status, headers=None, content=b"{}"):
    return lambda *_: (status, headers or {}, content)


SERVERS = {
    "404": (_always(404), "saw 404"),
    "500": (_always(500), "saw 500"),
    "401": (_always(401), "saw 401"),
    "429 for ever": (_always(429), "saw 429"),
    "redirect": (_always(302, {"Location": "/v1/other"}), "saw 302"),
    "timeout": (_slow, "no answer (ReadTimeout)"),
    "hangs up": (_always(None), "no answer (RemoteProtocolError)"),
    "HTML": (_always(200, {"Content-Type": "text/html"}, b"<html>Sign in</html>"), "expected JSON"),
    "empty body": (_always(200, {}, b""), "expected JSON"),
    "truncated JSON": (_always(200, {}, b'{"results": [{}'), "expected JSON"),
    "a list": (_always(200, {}, b"[]"), "expected a JSON object"),
    "nothing inside": (_always(200, {}, b"{}"), "expected 2 answers, saw no"),
    "answered shorter": (_batch(lambda good: {"results": good["results"][:-1]}), "expected 2 answers, saw 1"),
    "answered longer": (_batch(lambda good: {"results": [*good["results"], {}]}), "expected 2 answers, saw 3"),
    "answers of null": (_batch(lambda _: {"results": [None, None]}), "not of OSV's form"),
    "knows nothing": (_batch(lambda _: {"results": [{}, {}]}), "database is empty"),
    "ids lost": (_batch(lambda _: {"results": [{"vulns": [{}]}, {}]}), "has no id"),
    "page token repeats": (
        _batch(lambda good: {"results": [{"next_page_token": "a"}] * len(good["results"])}),
        "twice",
    ),
    "page token of null": (_batch(lambda _: {"results": [{"next_page_token": None}, {}]}), "not of OSV's form"),
    "record missing": (_records((404, {}, b"{}")), "/v1/vulns/PYSEC-1: expected HTTP 200, saw 404"),
    "record of another": (_records((200, {}, SMALL[1])), "expected the record PYSEC-1, saw PYSEC-2"),
    "record is none": (_records((200, {}, {"id": "PYSEC-1"})), "not of OSV's schema"),
    "stale": (lambda *said: (200, {"Date": "Wed, 01 Jan 2025 00:00:00 GMT"}, said[2]), "stale"),
    "future-dated": (lambda *said: (200, {"Date": "Tue, 01 Jan 2030 00:00:00 GMT"}, said[2]), "of the future"),
    "undated": (lambda *said: (200, {"Date": None}, said[2]), "does not say how old"),
}


@pytest.mark.parametrize(("behave", "why"), SERVERS.values(), ids=SERVERS)
def test_servers(behave, why):
    """Servers that refuse, stumble, skip, lose pages or misdate are not green; the report names no host."""
    with osv_server(SMALL, behave) as server:
        report = OsvApi(server.url, patience=PATIENCE).ask([FLASK])
    assert b"127.0.0.1" not in report_bytes(report)
    said = judge(report, datetime.now(UTC))  # noqa: TID251 - the server's dates are of this machine's clock
    expect_not_green(said["dependency_audit"], why)
    expect_not_green(said["vulnerabilities"], why)


def test_the_later_page_is_lost():
    """A server that loses its place behind the first page has not answered."""

    def lost(path, body, good):
        if any("page_token" in query for query in (body or {}).get("queries", ())):
            return 400, {}, {}
        return 200, {}, {"results": [{"next_page_token": "a"}] * 2} if path == "/v1/querybatch" else good

    with osv_server(SMALL, lost) as server:
        report = OsvApi(server.url, patience=PATIENCE).ask([FLASK])
    assert report.answered == ()
    expect_not_green(judge(report)["dependency_audit"], "saw 400")


def test_nobody_listens():
    """A connection that is refused is not green."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    report = OsvApi(f"http://127.0.0.1:{port}", patience=PATIENCE).ask([FLASK])
    expect_not_green(judge(report)["dependency_audit"], "no answer (ConnectError)")


def test_tls_to_nowhere():
    """A server that speaks no TLS where TLS is expected is not green."""
    with osv_server(SMALL) as server:
        report = OsvApi(server.url.replace("http:", "https:"), patience=PATIENCE).ask([FLASK])
    expect_not_green(judge(report)["dependency_audit"], "no answer (ConnectError)")


def _edit(old, new):
    """Change a file behind its signature."""

    def edit(inrelease):
        text = inrelease.read_text()
        assert old in text
        inrelease.write_text(text.replace(old, new, 1))

    return edit


def _without(pattern):
    def remove(inrelease):
        for file in inrelease.parent.glob(pattern):
            file.unlink()

    return remove


def _append_to_index(inrelease):
    for file in inrelease.parent.glob("*security_main_binary-amd64_Packages"):
        file.write_text(file.read_text() + "\nPackage: extra\n")


def _nothing(inrelease):
    return None


ARCHIVES = {
    "expired": ({"date": NOW - timedelta(days=5), "valid_days": 4}, _nothing, {}, "expired on 2026-11-25"),
    "stale": ({"date": NOW - timedelta(days=9), "valid_days": 0}, _nothing, {}, "stale"),
    "future-dated": ({"date": NOW + timedelta(days=9)}, _nothing, {}, "of the future"),
    "another key": ({"key": "other"}, _nothing, {}, "expected a signature"),
    "unsigned": ({"key": ""}, _nothing, {}, "expected a signature"),
    "edited": ({}, _edit("Codename: bookworm-security", "Codename: bookworm-security2"), {}, "expected a signature"),
    "prolonged": (
        {},
        _edit("Valid-Until: Thu, 03 Dec 2026", "Valid-Until: Fri, 03 Dec 2027"),
        {},
        "expected a signature",
    ),
    "index edited": ({}, _append_to_index, {}, "main/binary-amd64/Packages: expected sha256"),
    "index not listed": ({}, _without("*security_main*"), {}, "index of its component main is not there"),
    "no security suite": ({}, _without("*security*"), {}, "there is no security suite of debian-12"),
    "no lists": ({}, _without("*"), {}, "there is no security suite of debian-12"),
    "gpgv missing": ({}, _nothing, {"gpgv": "gpgv-that-is-not-there"}, "gpgv-that-is-not-there cannot be run"),
    "gpgv says yes to all": ({}, _nothing, {"gpgv": "true"}, "expected a signature"),
    "empty index": ({"packages": ""}, _nothing, {}, "the security suite lists no package"),
}


@pytest.mark.parametrize(("made", "damage", "client", "why"), ARCHIVES.values(), ids=ARCHIVES)
def test_archives(tmp_path, made, damage, client, why):
    """Archives that are expired, badly signed, incomplete or blind are not green, and neither is a missing gpgv."""
    damage(write_archive(tmp_path, **made))
    lists = AptLists(tmp_path, workshop() / "good.gpg", offline=True, **client)
    said = judge(DebianArchive(lists, workshop() / "debs").ask([DEMO]), components=(DEMO,))
    expect_not_green(said["container_scan"], why)
    expect_not_green(said["vulnerabilities"], why)


def test_a_canary_that_the_archive_does_not_list(tmp_path):
    """An archive in which the known vulnerable package is not found is not green, current as all else may look."""
    write_archive(tmp_path, packages="Package: a\nVersion: 1\n")
    current = deb("libdemo1", "1.0-1", "demo")
    lists = AptLists(tmp_path, workshop() / "good.gpg", offline=True)
    report = DebianArchive(lists, workshop() / "debs").ask([current])
    assert report.answered == (current.purl,)
    expect_not_green(judge(report, components=(current,))["container_scan"], "recognised nothing")


def test_gpgv_hangs(tmp_path):
    """A gpgv that does not end is given up, and nothing is believed."""
    write_archive(tmp_path)
    hanging = tmp_path / "gpgv"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    lists = AptLists(tmp_path, workshop() / "good.gpg", offline=True, gpgv=str(hanging), timeout_s=0.3)
    said = judge(DebianArchive(lists, workshop() / "debs").ask([DEMO]), components=(DEMO,))
    expect_not_green(said["container_scan"], "gpgv did not end in 0.3 s")


def test_all_is_well(tmp_path):
    """The control: the same sources without a fault are green, so that it is the faults that are seen above."""
    write_archive(tmp_path)
    lists = AptLists(tmp_path, workshop() / "good.gpg", offline=True)
    reports = [
        OsvDirectory(write_lines(tmp_path / "a.jsonl", SMALL)).ask([FLASK]),
        DebianArchive(lists, workshop() / "debs").ask([FLASK, DEMO]),
    ]
    said = answers(reports, [FLASK, DEMO], POLICY, NOW, Waivers())
    assert [(one.verdict, one.sample_count) for one in said] == [
        (Verdict.PASS, 1),
        (Verdict.PASS, 1),
        (Verdict.PASS, 2),
    ]
    with osv_server(SMALL, well) as server:
        online = OsvApi(server.url, patience=PATIENCE).ask([FLASK])
    now = datetime.now(UTC)  # noqa: TID251 - the server's dates are of this machine's clock
    assert judge(online, now)["dependency_audit"].verdict == Verdict.PASS
