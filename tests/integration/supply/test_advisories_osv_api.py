"""Advisories over HTTP: batches, pages, tries again, dates, and the real pip-audit on the same records."""

import gzip
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from advisory_records import PYPA, SMALL, pypi, record
from osv_server import osv_server, well

from lens_core.adapters.advisories_osv_api import OsvApi, Patience
from lens_core.adapters.advisories_osv_dir import OsvDirectory
from lens_core.errors import InvalidInput
from lens_core.supply.advisories import report_bytes
from lens_core.supply.words import Component

PATIENCE = Patience(timeout_s=5, tries=3, backoff_s=0.01)
ASKED = (pypi("jinja2", "2.9"), pypi("flask", "3.0"), Component("pkg:generic/x@1", "generic", "x", "1"))


def ask(server, asked=ASKED, **more):
    """The report of an API client."""
    return OsvApi(server.url, patience=PATIENCE, **more).ask(asked)


def test_findings_and_coverage():
    """Findings carry aliases, severity and what said so; what OSV has no ecosystem for is not answered."""
    with osv_server(SMALL) as server:
        report = ask(server)
    assert report.errors == ()
    (found,) = report.vulnerabilities
    assert (found.ids, found.severity, found.fixed_in) == (("CVE-2026-1", "PYSEC-1"), "critical", ("2.10.1",))
    assert found.said_by == ("api", "ranges", "versions")
    assert report.answered == ("pkg:pypi/flask@3.0", "pkg:pypi/jinja2@2.9")
    assert report.unanswered == (("pkg:generic/x@1", "OSV has no ecosystem for generic"),)
    assert [canary.found for canary in report.canaries] == [("CVE-2026-1",)]
    assert b"127.0.0.1" not in report_bytes(report)


def test_a_record_that_is_missing():
    """A package with a vulnerability whose record does not come is not answered for; others are."""
    with osv_server(SMALL, lambda path, _, good: (404 if "/vulns/" in path else 200, {}, good)) as server:
        report = ask(server)
    assert report.answered == ("pkg:pypi/flask@3.0",)
    assert dict(report.unanswered)["pkg:pypi/jinja2@2.9"] == "the server did not answer"


def test_batches():
    """Packages are asked about in batches, and every batch has the canary in it."""
    with osv_server(SMALL) as server:
        report = ask(server, [pypi(f"p{n}", "1") for n in range(5)], batch=2)
    batches = [body["queries"] for path, body in server.asked if path == "/v1/querybatch"]
    assert [len(batch) for batch in batches] == [3, 3, 2]
    assert all(batch[0]["package"]["name"] == "jinja2" for batch in batches)
    assert len(report.answered) == 5


def test_pages():
    """A question with more pages is asked again with its token until there is none."""

    def paged(path, body, good):
        if path == "/v1/querybatch":
            for query, answer in zip(body["queries"], good["results"], strict=True):
                if query["package"]["name"] == "mystery" and "page_token" not in query:
                    answer.clear()
                    answer.update(next_page_token="more")  # noqa: S106 - a page
        return 200, {}, good

    with osv_server(SMALL, paged) as server:
        report = ask(server, [pypi("mystery", "1.0")])
    assert [found.ids for found in report.vulnerabilities] == [("PYSEC-3",)]
    assert server.asked[1][1]["queries"][0].get("page_token") == "more"
    assert len(server.asked[1][1]["queries"]) == 1


@pytest.mark.parametrize("fault", [503, 429, None])
def test_tries_again(fault):
    """A server that is busy, or hangs up, is asked again."""
    seen = Counter()

    def busy(path, body, good):
        seen[path] += 1
        return (fault, {}, {}) if seen[path] == 1 else (200, {}, good)

    with osv_server(SMALL, busy) as server:
        report = ask(server)
    assert (report.errors, len(report.vulnerabilities)) == ((), 1)
    assert seen["/v1/querybatch"] == 2


def test_a_refusal_is_final():
    """A server that says no is not asked again."""
    with osv_server(SMALL, lambda *_: (403, {}, {})) as server:
        assert ask(server).errors == ("/v1/querybatch: expected HTTP 200, saw 403",)
    assert len(server.asked) == 1


def test_the_oldest_answer_dates_the_data():
    """A cache that hands on an old answer gives the data's date away; an answer without a date leaves it open."""
    old = "Wed, 01 Jan 2025 00:00:00 GMT"

    def cached(path, body, good):
        return 200, {"Date": old} if "vulns" in path else {}, good

    def undated(path, body, good):
        return 200, {"Date": None}, good

    with osv_server(SMALL, cached) as server:
        assert ask(server).data_date == datetime(2025, 1, 1, tzinfo=UTC)
    with osv_server(SMALL, undated) as server:
        assert ask(server).data_date is None


def test_withdrawn_records():
    """A vulnerability that the server names and that was withdrawn is none."""
    gone = {**SMALL[2], "withdrawn": "2026-01-01T00:00:00Z"}
    with osv_server([SMALL[0], gone]) as server:
        report = ask(server, [pypi("mystery", "1.0")])
    assert (report.vulnerabilities, report.answered) == ((), ("pkg:pypi/mystery@1.0",))


@pytest.mark.parametrize(
    "url", ["", "osv", "http://osv.example", "ftp://127.0.0.1", "https://", "http://localhost.example"]
)
def test_where_it_may_be(url):
    """A server is asked over https; over http only on this machine."""
    with pytest.raises(InvalidInput, match="expected an https URL"):
        OsvApi(url)


def test_no_proxy_for_loopback(monkeypatch):
    """A proxy in the environment is not asked for what is on this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with osv_server(SMALL) as server:
        assert ask(server).errors == ()


def test_agrees_with_the_directory():
    """The same records asked over HTTP and read from files give the same vulnerabilities."""
    asked = [pypi("jinja2", "2.10"), pypi("flask", "0.1"), pypi("mystery", "1.0"), pypi("mystery", "2.0")]
    with osv_server(SMALL) as server:
        theirs = ask(server, asked).vulnerabilities
    assert {(one.purl, one.ids) for one in theirs} == {
        ("pkg:pypi/jinja2@2.10", ("CVE-2026-1", "PYSEC-1")),
        ("pkg:pypi/flask@0.1", ("PYSEC-2",)),
        ("pkg:pypi/mystery@1.0", ("PYSEC-3",)),
    }


def test_debian_questions():
    """A deb is asked about by its source package, its source version, and its release."""
    libssl = Component("pkg:deb/debian/libssl3@3.0+b1", "deb", "libssl3", "3.0+b1", "openssl", "3.0", "debian-12")
    with osv_server([record("D-1", "expat", ecosystem="Debian:12", versions=("2.0.1-4",))]) as server:
        report = ask(server, [libssl])
    canary, asked = server.asked[0][1]["queries"]
    assert asked == {"package": {"name": "openssl", "ecosystem": "Debian:12"}, "version": "3.0"}
    assert canary["package"] == {"name": "expat", "ecosystem": "Debian:12"}
    assert report.canaries[0].found == ("D-1",)


@pytest.mark.skipif(not PYPA.is_file(), reason="the PyPA database is not beside the project")
def test_agrees_with_pip_audit(tmp_path):
    """The real pip-audit, against a server of the PyPA records, names the same vulnerabilities as we do."""
    pinned = {"jinja2": "2.10", "urllib3": "1.24", "django": "3.2", "requests": "2.19.0", "flask": "0.12",
              "pillow": "8.0.0", "pyyaml": "5.3", "six": "1.16.0", "numpy": "2.0.0", "aiohttp": "3.8.0"}  # fmt: skip
    (tmp_path / "r.txt").write_text("".join(f"{name}=={version}\n" for name, version in pinned.items()))
    records = [json.loads(line) for line in gzip.decompress(PYPA.read_bytes()).splitlines()]
    with osv_server(records, well) as server:
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", "-r", tmp_path / "r.txt", "--no-deps", "--disable-pip", "--strict",
             "-s", "osv", "--osv-url", f"{server.url}/v1/query", "-f", "json", "--progress-spinner", "off",
             "--cache-dir", tmp_path / "cache"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        asked = [pypi(name, version) for name, version in pinned.items()]
        by_api = ask(server, asked)
    assert done.returncode == 1, done.stderr
    theirs = {
        (one["name"], name)
        for one in json.loads(done.stdout)["dependencies"]
        for vuln in one["vulns"]
        for name in (vuln["id"], *vuln["aliases"])
    }
    for report in (OsvDirectory(PYPA).ask(asked), by_api):
        ours = {(one.purl[9:].partition("@")[0], name) for one in report.vulnerabilities for name in one.ids}
        assert ours == theirs
    assert len(theirs) > 100
