"""The engine over HTTP: a FastAPI application over one opened index.

Routes are ``async`` and search inline in the event loop: a search takes about a millisecond, less than the
hand-over to a thread costs at the tail. Whatever is wrong with a request is answered with 400 and a
structured error, never with 422 or 500.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lens_core.engine import __version__, compat, wire
from lens_core.engine.errors import BadRequest, EngineError
from lens_core.engine.metrics import Metrics
from lens_core.engine.search import CodeIndex, Filters

_BAD_REQUEST: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": wire.ErrorBody, "description": "A parameter is missing, unknown or out of bounds"},
}
_NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": wire.ErrorBody, "description": "The index holds no such file"},
}
_METRICS_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text format"},
}


def create_app(index: CodeIndex) -> FastAPI:
    """The application that answers from ``index``; it holds no other state than its metrics."""
    app = FastAPI(
        title="Lens code search",
        version=__version__,
        description="Searches one indexed source tree.",
        docs_url=None,
        redoc_url=None,
    )
    metrics = Metrics(index.manifest.document_count)
    _add_search_routes(app, index)
    _add_operation_routes(app, index, metrics)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(EngineError, _on_engine_error)
    paths = frozenset(route.path for route in app.routes if hasattr(route, "path"))
    app.add_middleware(Observed, metrics=metrics, paths=paths)
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign]
    return app


def _add_search_routes(app: FastAPI, index: CodeIndex) -> None:
    @app.get("/search", response_model=wire.SearchBody, responses=_BAD_REQUEST)
    async def search(parameters: wire.SearchQuery) -> Response:
        """The best chunks for a question."""
        filters = Filters(parameters.language, parameters.symbols, parameters.glob)
        answer = index.search(parameters.q, limit=parameters.limit, offset=parameters.offset, filters=filters)
        return _json(answer)

    @app.get("/outline", response_model=wire.OutlineBody, responses={**_BAD_REQUEST, **_NOT_FOUND})
    async def outline(parameters: wire.OutlineQuery) -> Response:
        """All definitions of one file, in the order of their lines."""
        chunks = index.outline(parameters.path)
        if chunks is None:
            return _error(404, "unknown_path", "the index holds no such file", "take a path from a search hit")
        definitions = [
            {
                "name": chunk.symbol,
                "kind": chunk.kind,
                "start_line": chunk.start_line,
                "end_line": chunk.end_line,
                "parents": chunk.parents,
            }
            for chunk in chunks
        ]
        return _json({"path": parameters.path, "definitions": definitions})

    @app.get("/compat/check", response_model=wire.CompatBody, responses=_BAD_REQUEST)
    async def compat_check(parameters: wire.CompatQuery) -> Response:
        """Whether a caller and an index of these versions fit this engine."""
        return _json(compat.check(parameters.api_version, parameters.index_version))


def _add_operation_routes(app: FastAPI, index: CodeIndex, metrics: Metrics) -> None:
    @app.get("/stats", response_model=wire.StatsBody, responses=_BAD_REQUEST)
    async def stats(_parameters: wire.NoQuery) -> Response:
        """What the manifest of the index says."""
        described = asdict(index.manifest)
        body = {name: described[name] for name in wire.StatsBody.model_fields if name in described}
        return _json({**body, "api_version": compat.API_VERSION})

    @app.get("/health", response_model=wire.HealthBody, responses=_BAD_REQUEST)
    async def health(_parameters: wire.NoQuery) -> Response:
        """Whether the service answers; it does not start without a verified index."""
        return _json(
            {
                "status": "ok",
                "version": __version__,
                "uptime_seconds": round(metrics.uptime_seconds(), 3),
                "index_ready": True,
            }
        )

    @app.get("/metrics", response_class=Response, responses={**_BAD_REQUEST, **_METRICS_TEXT})
    async def exposition(_parameters: wire.NoQuery) -> Response:
        """Counters and the latency histogram."""
        return Response(metrics.exposition(), media_type=metrics.content_type)


class Observed:
    """ASGI middleware that times each request; bare ASGI, as it must not cost what it measures."""

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and counts its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.observe(path, status, time.perf_counter() - started)


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def _error(
    status: int,
    code: str,
    message: str,
    hint: str,
    details: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    content = {"code": code, "message": message, "hint": hint, "details": details or []}
    return _json({"error": content}, status, headers)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    details = [
        {"field": _printable(".".join(str(part) for part in item["loc"][1:])), "problem": str(item["msg"])}
        for item in problems
    ]
    hint = "see /openapi.json for the parameters and their bounds"
    return _error(400, "bad_request", "the parameters are not as expected", hint, details)


async def _on_http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "http_error")
    message = f"the request cannot be served: {code}"
    return _error(status, code, message, "see /openapi.json for the paths", headers=headers)


async def _on_engine_error(_request: Request, error: Exception) -> Response:
    hint = error.hint if isinstance(error, EngineError) else ""
    if isinstance(error, BadRequest):
        return _error(400, "bad_request", str(error), hint)
    return _error(503, "unavailable", _printable(str(error)), hint)


def _printable(text: str) -> str:
    """Text that JSON can carry: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode()


def _describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description with 400 in place of FastAPI's 422, which this service never answers."""
    if app.openapi_schema is None:
        build: Callable[[], dict[str, Any]] = lambda: FastAPI.openapi(app)  # noqa: E731
        described = build()
        for methods in described["paths"].values():
            for operation in methods.values():
                operation["responses"].pop("422", None)
        schemas = described["components"]["schemas"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = described
    return app.openapi_schema
