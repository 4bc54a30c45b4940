"""The HTTP contract, asked in process."""

import re

import httpx
import pytest

from lens_core.engine import __version__, wire
from lens_core.engine.app import create_app
from lens_core.engine.errors import EngineError
from lens_core.engine.search import CodeIndex


@pytest.fixture
def app(code_index):
    """The application over the small index."""
    return create_app(code_index)


@pytest.fixture
async def client(app):
    """A client that asks it in process."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as opened:
        yield opened


async def test_search(client):
    """A search answers with the documented shape."""
    response = await client.get("/search", params={"q": "getUserName", "limit": 2, "symbols": "true"})
    body = response.json()
    assert response.status_code == 200
    assert (body["query"], body["limit"], body["offset"]) == ("getUserName", 2, 0)
    assert body["hits"][0] == {
        "path": "web/client.ts", "start_line": 13, "end_line": 16, "symbol": "getUserName",
        "kind": "method", "language": "typescript", "score": 1.0,
    }  # fmt: skip


async def test_filters_reach_the_search(client):
    """Language and glob restrict the hits."""
    body = (await client.get("/search?q=user&language=javascript&glob=web/*")).json()
    assert {hit["path"] for hit in body["hits"]} == {"web/legacy.js"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "q"),
        ("q=", "q"),
        ("q=%20%09", "q"),
        ("q=" + "x" * 513, "q"),
        ("q=x&limit=0", "limit"),
        ("q=x&limit=101", "limit"),
        ("q=x&limit=ten", "limit"),
        ("q=x&offset=-1", "offset"),
        ("q=x&offset=10001", "offset"),
        ("q=x&language=cobol", "language"),
        ("q=x&symbols=perhaps", "symbols"),
        ("q=x&glob=", "glob"),
        ("q=x&limits=3", "limits"),
    ],
)
async def test_bad_parameters_are_400(client, query, field):
    """Each bad or unknown parameter is answered with 400 and named in the details."""
    response = await client.get("/search?" + query)
    error = response.json()["error"]
    assert response.status_code == 400
    assert error["code"] == "bad_request"
    assert field in [detail["field"] for detail in error["details"]]
    assert error["hint"]


@pytest.mark.parametrize("path", ["/stats", "/health", "/metrics", "/outline", "/compat/check"])
async def test_unknown_parameters_are_400_everywhere(client, path):
    """No path ignores a parameter that it does not know."""
    response = await client.get(path, params={"surprise": "1"})
    assert response.status_code == 400
    assert "surprise" in [detail["field"] for detail in response.json()["error"]["details"]]


@pytest.mark.parametrize(
    "raw", ["%00", "%FF%FE", "%ED%A0%80", "%22", "%22%22%22", "+%0A+x", "%F0%9F%98%80", "((((", "a%00b+c"]
)
async def test_odd_questions_never_fail(client, raw):
    """Whatever bytes a question has, the answer is no server error."""
    assert (await client.get(f"/search?q={raw}")).status_code in {200, 400}


async def test_outline(client):
    """An outline lists the definitions; an unknown path is a structured 404."""
    body = (await client.get("/outline", params={"path": "web/Button.svelte"})).json()
    assert body["definitions"] == [
        {"name": "handleClick", "kind": "function", "start_line": 4, "end_line": 6, "parents": []}
    ]
    missing = await client.get("/outline", params={"path": "../etc/passwd"})
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "unknown_path"


async def test_stats_are_the_manifest(client, code_index):
    """Stats say what the manifest says."""
    body = (await client.get("/stats")).json()
    assert body["content_digest"] == code_index.manifest.content_digest
    assert body["document_count"] == len(code_index.catalogue.chunks)
    assert body["engine_version"] == __version__
    assert "files" not in body


async def test_health(client):
    """Health says ok, which version, and for how long."""
    body = (await client.get("/health")).json()
    assert (body["status"], body["version"], body["index_ready"]) == ("ok", __version__, True)
    assert body["uptime_seconds"] >= 0


async def test_compat(client):
    """The compatibility check gives reasons."""
    body = (await client.get("/compat/check?api_version=9&index_version=1")).json()
    assert body["compatible"] is False
    assert len(body["reasons"]) == 1


async def test_metrics_count_what_was_served(client):
    """Requests are counted by route and status, and unknown paths share one label."""
    await client.get("/search?q=x")
    await client.get("/search?q=")
    await client.get("/wp-login.php")
    text = (await client.get("/metrics")).text
    assert 'lens_engine_requests_total{path="/search",status="200"} 1.0' in text
    assert 'lens_engine_requests_total{path="/search",status="400"} 1.0' in text
    assert 'lens_engine_requests_total{path="other",status="404"} 1.0' in text


async def test_other_paths_and_methods_are_structured(client):
    """An unknown path and a wrong method are structured errors too."""
    assert (await client.get("/nothing")).json()["error"]["code"] == "not_found"
    response = await client.post("/search?q=x")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize(("error", "status"), [(EngineError("it \ud800 broke", "look"), 503)])
async def test_engine_errors_are_503(client, monkeypatch, error, status):
    """If tantivy fails, the caller learns that the service is unavailable."""

    def fail(*_arguments, **_named):
        raise error

    monkeypatch.setattr(CodeIndex, "search", fail)
    response = await client.get("/search?q=x")
    assert response.status_code == status
    assert response.json()["error"]["hint"] == "look"


@pytest.mark.parametrize("blank", ["%20", "%09%0A", "%1C", "%C2%85%C2%85", "%E3%80%80"])
async def test_a_blank_question_is_400(client, blank):
    """Blanks of any kind ask for nothing and are refused."""
    assert (await client.get(f"/search?q={blank}")).status_code == 400


async def test_openapi_describes_400_and_never_422(client):
    """The description names the 400 of each path, and 422 nowhere."""
    described = (await client.get("/openapi.json")).json()
    for path, methods in described["paths"].items():
        assert "422" not in methods["get"]["responses"], path
        assert "400" in methods["get"]["responses"], path
    assert "HTTPValidationError" not in described["components"]["schemas"]
    assert "404" in described["paths"]["/outline"]["get"]["responses"]


def test_what_is_blank_is_spelled_out_for_every_dialect():
    """The pattern of the description refuses exactly what the engine takes for blank."""
    for code in range(0x20000):
        character = chr(code)
        assert bool(re.search(wire.NOT_BLANK, character)) is bool(character.strip()), hex(code)
