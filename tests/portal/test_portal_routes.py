"""What is served beside the pages: health, and evidence that is recorded."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from lens_core.errors import Unavailable
from lens_core.model import Verdict
from portal.routes import ROUTES
from tests.portal.fake_lens import NEWEST, FakeLens, add_night, night_of

_NIGHT = f"{NEWEST}.1"
_FOLDER = f"nights/{_NIGHT}"
_REPORT = f"/evidence/{_NIGHT}/{_FOLDER}/report/nightly_report.html"


class Client:
    """Sends requests to the routes, without a socket."""

    def request(self, method: str, path: str) -> httpx.Response:
        return asyncio.run(self._send(method, path))

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    async def _send(self, method: str, path: str) -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=ROUTES))
        async with httpx.AsyncClient(transport=transport, base_url="http://portal", follow_redirects=True) as client:
            return await client.request(method, path)


@pytest.fixture
def client(ledger: FakeLens) -> Client:
    """Talks to the routes over a ledger with one failed night."""
    add_night(ledger, night_of(NEWEST, Verdict.FAIL))
    (ledger.home / "secret.txt").write_text("no evidence")
    return Client()


def test_health_names_the_newest_night_and_its_verdict(client: Client) -> None:
    """A red night is healthy news of a healthy portal: status ok, verdict FAIL."""
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "detail": "1 night", "newest_night": _NIGHT, "verdict": "FAIL"}


def test_health_of_an_empty_ledger_names_no_verdict(ledger: FakeLens) -> None:
    """A ledger that can be read and is empty is ok, without a night and without a verdict."""
    answer = Client().get("/health").json()
    assert (answer["status"], answer["newest_night"], answer["verdict"]) == ("ok", None, None)


@pytest.mark.parametrize("fault", [Unavailable("the ledger is locked"), ValueError("not a database")])
def test_health_is_degraded_when_the_ledger_cannot_be_read(client: Client, ledger: FakeLens, fault: Exception) -> None:
    """Whatever it is that breaks the ledger, health answers 503 and degraded, never ok."""
    ledger.broken = fault  # type: ignore[assignment]
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "degraded"
    assert "cannot be read" in answer.json()["detail"]


def test_the_report_is_shown_within_its_own_walls(client: Client) -> None:
    """A report may run its scripts, and reach neither the portal's cookies nor any other host."""
    answer = client.get(_REPORT)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "http" not in policy


def test_the_script_beside_the_reports_is_served(client: Client) -> None:
    """The relative address that a report uses for plotly leads to plotly, and to nothing else."""
    answer = client.get(f"{_REPORT}/../../../assets/plotly-7.1.0.min.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert client.get(f"/evidence/{_NIGHT}/nights/assets/other.js").status_code == 404
    assert client.get(f"/evidence/{_NIGHT}/nights/assets/plotly-9.min.js").status_code == 404


@pytest.mark.parametrize(
    ("file", "kind"),
    [("slice_validation.ipynb", "application/x-ipynb+json"), ("samples.parquet", "application/vnd.apache.parquet")],
)
def test_notebooks_and_samples_are_downloads(client: Client, file: str, kind: str) -> None:
    """What a browser cannot show is offered under a name that says night, slice and file."""
    answer = client.get(f"/evidence/{_NIGHT}/{_FOLDER}/backend-python-small/{file}")
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"] == f'attachment; filename="{_NIGHT}-backend-python-small-{file}"'


@pytest.mark.parametrize(
    "path",
    [
        "secret.txt",
        "../secret.txt",
        "%2e%2e/secret.txt",
        f"{_FOLDER}/%2e%2e/%2e%2e/secret.txt",
        f"{_FOLDER}/..%2f..%2fsecret.txt",
        "nights/assets/%2e%2e/%2e%2e/secret.txt",
        "nights/assets/plotly-..%2f..%2fsecret.min.js",
        "%2fetc%2fpasswd",
        f"{_FOLDER}%5c..%5csecret.txt",
        f"{_FOLDER}/report/nightly_report.html%00.txt",
        f"{_FOLDER}/report",
        "",
    ],
)
def test_what_is_not_recorded_is_not_served(client: Client, path: str) -> None:
    """Neither traversal nor guessing gets at a file that the ledger does not name for that night."""
    answer = client.get(f"/evidence/{_NIGHT}/{path}")
    assert answer.status_code == 404
    assert "no evidence" not in answer.text
    assert "root:" not in answer.text


def test_evidence_of_another_night_is_not_served(client: Client) -> None:
    """A recorded path is served under its own night only."""
    assert client.get(_REPORT.replace(f"evidence/{_NIGHT}", "evidence/2026-11-01.1")).status_code == 404


def test_changed_evidence_is_not_shown(client: Client, ledger: FakeLens) -> None:
    """A file whose bytes no longer match the recorded digest is refused, with both digests named."""
    (ledger.home / _FOLDER / "report" / "nightly_report.html").write_text("all is well")
    answer = client.get(_REPORT)
    assert answer.status_code == 409
    assert "expected sha256:" in answer.text
    assert "all is well" not in answer.text


def test_lost_evidence_is_told_without_naming_the_disk(client: Client, ledger: FakeLens) -> None:
    """A recorded file that is gone is said to be gone; where the home folder lies stays private."""
    (ledger.home / _FOLDER / "report" / "nightly_report.html").unlink()
    answer = client.get(_REPORT)
    assert answer.status_code == 409
    assert str(ledger.home) not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_evidence_is_read_only(client: Client, method: str) -> None:
    """No method but GET and HEAD reaches evidence."""
    assert client.request(method, _REPORT).status_code == 405


def test_the_portal_app_is_found_by_streamlit(tmp_path: Path) -> None:
    """``portal/serve.py`` holds an app with both routes, and importing it opens no ledger."""
    root = Path(__file__).parents[2]
    code = "from portal.serve import app; print(sorted(route.path for route in app._user_routes))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PYTHONPATH": str(root), "LENS_HOME": str(tmp_path / "home"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "['/evidence/{night_id}/{path:path}', '/health']"
    assert not (tmp_path / "home").exists()
