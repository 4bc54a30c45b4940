"""Plain HTTP beside the pages: ``/health``, and ``/evidence/…`` that serves recorded files only."""

import hashlib
import re
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lens_core.errors import IntegrityError, InvalidInput, LensError
from lens_core.views import night_verdict
from portal.reading import lens

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".js": "text/javascript; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
}
_SHOWN = (".html", ".json", ".js")
"""What a browser may open; everything else is offered as a download."""

"""The script that the reports of all nights share; it is named by its version, not by a night."""

_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

# An executed notebook may show text of repositories that nobody here wrote. ``sandbox`` without
# ``allow-same-origin`` takes the portal's cookies and sockets out of its reach, and nothing that is
# not beside it is fetched.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-scripts allow-popups allow-downloads"
)
_FILE_POLICY = "default-src 'none'; sandbox"


def health(_request: Request) -> Response:
    """``ok`` only when the ledger can be read; says the newest night and its verdict."""
    try:
        nights = lens().nights()
    except Exception as error:  # noqa: BLE001  whatever it was: health must say so, not break
        words = error.message if isinstance(error, LensError) else type(error).__name__
        detail = f"the ledger cannot be read: {words}"
        return JSONResponse({"status": "degraded", "detail": detail, "newest_night": None, "verdict": None}, 503)
    newest = nights[0] if nights else None
    return JSONResponse(
        {
            "status": "ok",
            "detail": f"{len(nights)} night{'' if len(nights) == 1 else 's'}",
            "newest_night": newest.night_id if newest else None,
            "verdict": night_verdict(newest) if newest else None,
        },
        headers={"Cache-Control": "no-store"},
    )


def evidence(request: Request) -> Response:
    """A file that is recorded as evidence of a night, if its bytes still are what was recorded."""
    night_id, path = request.path_params["night_id"], request.path_params["path"]
    try:
        _check_path(path)
        return _recorded_file(night_id, path)
    except InvalidInput as error:
        words, code = error.message, 404
    except IntegrityError as error:
        words, code = f"{path} is recorded, but it is not what was recorded: {error.message}", 409
    except OSError as error:  # its own text would name folders of this machine
        words, code = f"{path} is recorded, but cannot be read: {error.strerror}", 409
    except LensError as error:
        words, code = error.message, 503
    return PlainTextResponse(words, code, headers={"Content-Security-Policy": _FILE_POLICY, **_SAFE})


def _check_path(path: str) -> None:
    """Only plain paths are looked up at all: the ledger's word is not the only wall."""
    if any(part in ("", ".", "..") for part in path.split("/")) or "\\" in path or "\0" in path:
        raise InvalidInput("no such evidence")


def _recorded_file(night_id: str, path: str) -> Response:
    recorded = next((item for item in lens().evidence(night_id) if item.path == path), None)
    if recorded is None:
        raise InvalidInput(f"{path} is not recorded as evidence of night {night_id}")
    content = lens().evidence_path(night_id, path).read_bytes()
    seen = hashlib.sha256(content).hexdigest()
    if seen != recorded.digest.hex:
        raise IntegrityError(f"expected {recorded.digest}, the bytes are sha256:{seen}")
    suffix = PurePosixPath(path).suffix
    # A script carries its version in its name, a page is what it is found to be at each request.
    caching = "private, max-age=31536000, immutable" if suffix == ".js" else "private, no-cache"
    headers = {"ETag": f'"{seen}"', "Cache-Control": caching, **_SAFE}
    headers["Content-Security-Policy"] = _PAGE_POLICY if suffix == ".html" else _FILE_POLICY
    if suffix not in _SHOWN:
        headers["Content-Disposition"] = f'attachment; filename="{_download_name(night_id, path)}"'
    return Response(content, media_type=_TYPES.get(suffix, "application/octet-stream"), headers=headers)


def _download_name(night_id: str, path: str) -> str:
    """Night, slice and file in one name, so that twelve downloads do not overwrite each other."""
    parts = PurePosixPath(path).parts[-2:]
    return re.sub(r"[^0-9A-Za-z._-]", "_", "-".join((night_id, *parts)))


ROUTES = (
    Route("/health", health, methods=["GET"]),
    Route("/evidence/{night_id}/{path:path}", evidence, methods=["GET"]),
)
