"""A server that does what an OpenAPI document of the engine says: change the document, and it answers otherwise."""

import copy
import http.server
import json
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs

from lens_core.engine.app import create_app

_DOCUMENT = json.dumps(create_app(SimpleNamespace(manifest=SimpleNamespace(document_count=0))).openapi())
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
HITS = 12


def engine_document():
    """The engine's own document, to be changed at will."""
    return json.loads(_DOCUMENT)


def schema(document, name):
    """The properties of one schema of it."""
    return document["components"]["schemas"][name]


def parameter(document, path, name):
    """One parameter of ``GET path``."""
    return next(each for each in document["paths"][path]["get"]["parameters"] if each["name"] == name)


class FakeEngine:
    """Answers as ``document`` promises; ``faults`` maps a path to a code, ``hits`` makes the hits of a question."""

    def __init__(self, change=None, *, api_version="1.0", index_format=1):
        self.document = engine_document()
        if change is not None:
            change(self.document)
        self.api_version, self.index_format = api_version, index_format
        self.faults, self.asked, self.bodies, self.searches = {}, [], [], 0
        self.hits = lambda question, _times: [f"{question[:8]}/{number}.py" for number in range(HITS)]
        self.content = "digest"
        self.analyzer = "fingerprint"

    def answer(self, method, path, pairs):  # noqa: PLR0911  (one for each kind of answer)
        """(code, media type, body)."""
        self.asked.append((method, path, tuple(pairs)))
        if path == "/openapi.json":
            return 200, "application/json", json.dumps(self.document).encode()
        if path in self.faults:
            return self.faults[path], "text/plain", b"Internal Server Error"
        operation = self.document["paths"].get(path, {}).get(method.lower())
        if operation is None:
            return self.error(404 if path not in self.document["paths"] else 405)
        try:
            values = self.values(operation.get("parameters", []), pairs)
        except ValueError as error:
            return self.error(400, str(error))
        self.searches += path == "/search"
        if path == "/metrics":
            return 200, "text/plain", self.metrics().encode()
        made = getattr(self, path.removesuffix("z").strip("/").replace("/", "_"))(**values)
        if made is None:
            return self.error(404)
        [(media, said)] = operation["responses"]["200"]["content"].items()
        return 200, media, json.dumps(self.shaped(said["schema"], made)).encode()

    def values(self, parameters, pairs):
        """Python values of a query; ValueError for one that the document does not allow."""
        given, known = dict(pairs), {each["name"]: each for each in parameters}
        if len(given) != len(pairs) or given.keys() - known.keys():
            raise ValueError("unknown or twice")
        made = {}
        for name, said in known.items():
            if name in given:
                made[name] = _read(said["schema"], given[name])
            elif said.get("required"):
                raise ValueError(f"{name} is missing")
            else:
                made[name] = said["schema"].get("default")
        return made

    def shaped(self, said, value):
        """What of ``value`` the document promises, in the types that it promises."""
        if "$ref" in said:
            said = self.document["components"]["schemas"][said["$ref"].rsplit("/", 1)[1]]
        if said.get("type") == "object" and "properties" in said:
            return {name: self.shaped(each, value[name]) for name, each in said["properties"].items() if name in value}
        if said.get("type") == "array":
            return [self.shaped(said["items"], each) for each in value]
        return str(value) if said.get("type") == "string" and value is not None else value

    def error(self, code, problem=""):
        """The engine's body of an error."""
        details = [{"field": "x", "problem": problem}] if problem else []
        content = {"code": "bad", "message": "no", "hint": "ask otherwise", "details": details}
        return code, "application/json", json.dumps({"error": content}).encode()

    def search(self, *, q, limit, offset, **_):
        """Hits by name."""
        times = sum(path == "/search" and dict(pairs).get("q") == q for _, path, pairs in self.asked)
        paths = self.hits(q, times)
        hits = [
            {"path": path, "start_line": 1, "end_line": 9, "symbol": "s", "kind": "k", "language": "python",
             "score": 1 / (1 + rank), "extra": 1}
            for rank, path in enumerate(paths)
        ]  # fmt: skip
        page = hits[offset : offset + limit]
        return {"query": q, "total": len(hits), "limit": limit, "offset": offset, "hits": page, "extra": 1}

    def outline(self, *, path):
        """One definition of every Python file."""
        if not path.endswith(".py"):
            return None
        definition = {"name": "f", "kind": "k", "start_line": 1, "end_line": 2, "parents": []}
        return {"path": path, "definitions": [definition]}

    def compat_check(self, *, api_version=None, index_version=None):
        """As the engine does, for versions such as 1.0."""
        reasons = []
        if api_version is not None and not self.fits(api_version):
            reasons.append("api")
        if index_version is not None and index_version != str(self.index_format):
            reasons.append("index")
        return {
            "compatible": not reasons, "reasons": reasons, "api_version": self.api_version,
            "index_format": self.index_format,
        }  # fmt: skip

    def fits(self, version):
        """The same major number, and a minor one that is not newer."""
        try:
            asked, own = ([int(part) for part in text.split(".")] for text in (version, self.api_version))
        except ValueError:
            return False
        return asked[0] == own[0] and asked <= own

    def stats(self):
        """Of an index of nothing."""
        return {
            "engine_version": "1", "api_version": self.api_version, "index_format": self.index_format,
            "document_count": 3, "file_count": 2, "content_digest": self.content,
            "analyzer_fingerprint": self.analyzer, "tantivy_version": "0", "languages": {"python": 2}, "skipped": {},
        }  # fmt: skip

    def health(self):
        """Well."""
        return {"status": "ok", "version": "1", "uptime_seconds": 1.5, "index_ready": True}

    def metrics(self):
        """The one counter that the drill reads."""
        return (
            "# TYPE lens_engine_requests_total counter\n"
            f'lens_engine_requests_total{{path="/search",status="200"}} {self.searches}.0\n'
        )


def _read(said, text):
    for each in said.get("anyOf", [said]):
        try:
            value = {"integer": int, "boolean": _BOOLEANS.__getitem__}.get(each.get("type"), str)(text)
        except (ValueError, KeyError):
            continue
        if each.get("type") != "null" and not any(jsonschema_rs.iter_errors(_python(each), value)):
            return value
    raise ValueError(f"{text[:20]!r} is not allowed")


def _python(said):
    """The engine's pattern speaks of blanks by code point, which is beside the point here."""
    return {**said, "pattern": r"\S"} if "pattern" in said else said


@contextmanager
def served(engine):
    """The address of a fake on loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_ANY(self):
            """Ask the fake."""
            engine.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            parts = urlsplit(self.path)
            code, media, body = engine.answer(self.command, parts.path, parse_qsl(parts.query, keep_blank_values=True))
            self.send_response(code)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = code >= 500  # as uvicorn does, without saying so

        do_GET = do_POST = do_PUT = do_DELETE = do_ANY  # noqa: N815

        def log_message(self, *arguments):
            """Be quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


# ---- changes of the document, each of which the fake then keeps to ----


def drop_field(document):
    """A hit has no symbol any more."""
    schema(document, "HitBody")["properties"].pop("symbol")
    schema(document, "HitBody")["required"].remove("symbol")


def change_default(document):
    """Whoever does not say how many hits gets fewer."""
    parameter(document, "/search", "limit")["schema"]["default"] = 5


def drop_parameter(document):
    """Nobody can ask for a language any more."""
    parameters = document["paths"]["/search"]["get"]["parameters"]
    parameters.remove(parameter(document, "/search", "language"))


def require_parameter(document):
    """Whoever does not say how many hits is refused."""
    parameter(document, "/search", "limit")["required"] = True


def add_required_parameter(document):
    """Whoever does not know the new parameter is refused."""
    added = {"name": "tenant", "in": "query", "required": True, "schema": {"type": "string"}}
    document["paths"]["/search"]["get"]["parameters"].append(added)


def retype_field(document):
    """Lines are text now."""
    schema(document, "HitBody")["properties"]["start_line"]["type"] = "string"


def drop_route(document):
    """There are no outlines any more."""
    document["paths"].pop("/outline")


def narrow_range(document):
    """At most half as many hits."""
    parameter(document, "/search", "limit")["schema"]["maximum"] = 50


def narrow_values(document):
    """One language fewer."""
    parameter(document, "/search", "language")["schema"]["anyOf"][0]["enum"].remove("svelte")


def drop_code(document):
    """An unknown path is no longer told apart."""
    document["paths"]["/outline"]["get"]["responses"].pop("404")


def change_media(document):
    """Answers are of another media type."""
    content = document["paths"]["/stats"]["get"]["responses"]["200"]["content"]
    content["application/vnd.lens+json"] = content.pop("application/json")


def nullable_field(document):
    """A symbol may be null."""
    schema(document, "HitBody")["properties"]["symbol"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


BREAKING = {
    each.__name__: each
    for each in (
        drop_field, change_default, drop_parameter, require_parameter, add_required_parameter, retype_field, drop_route,
        narrow_range, narrow_values, drop_code, change_media, nullable_field,
    )
}  # fmt: skip


def add_field(document):
    """A hit says more."""
    schema(document, "HitBody")["properties"]["extra"] = {"type": "integer"}


def add_parameter(document):
    """One may say what for."""
    added = {"name": "reason", "in": "query", "required": False, "schema": {"type": "string"}}
    document["paths"]["/search"]["get"]["parameters"].append(added)


def add_route(document):
    """There is a second health."""
    document["paths"]["/healthz"] = copy.deepcopy(document["paths"]["/health"])


def widen_range(document):
    """Twice as many hits."""
    parameter(document, "/search", "limit")["schema"]["maximum"] = 200


def add_code(document):
    """Too many requests can be refused."""
    answers = document["paths"]["/search"]["get"]["responses"]
    answers["429"] = copy.deepcopy(answers["400"])


ADDITIVE = {each.__name__: each for each in (add_field, add_parameter, add_route, widen_range, add_code)}
