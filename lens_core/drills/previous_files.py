"""The files that stand for a previous version, made from bytes: its wheel and the archive of its index.

Equal input gives equal bytes: members are sorted, owned by nobody, and dated by the commit.
"""

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime

PACKAGE = "lens_engine"
ENGINE = "lens_core/engine/"
"""Where the engine stands in the repository, and in its wheel."""
_VERSION_FILE = f"{ENGINE}__init__.py"
_VERSION_LINE = "__version__: Final = "
_ROOT = "lens_core/__init__.py"
_ZIP_EPOCH = 315_532_800  # 1980-01-01: a zip file knows nothing earlier


def wheel_name(version: str) -> str:
    """The file name of a previous version's wheel."""
    return f"{PACKAGE}-{version}-py3-none-any.whl"


def engine_wheel(sources: Mapping[str, bytes], version: str, epoch: int) -> bytes:
    """A wheel with nothing but the engine of ``sources`` (path in the repository → bytes).

    Its ``__version__`` is set to ``version``, its members are dated ``epoch`` (seconds since 1970, UTC).
    ValueError when the sources have no engine, or no line that says its version.
    """
    files = {path: content for path, content in sources.items() if path.startswith(ENGINE) or path == _ROOT}
    if _VERSION_FILE not in files or _ROOT not in files:
        raise ValueError(f"expected {_VERSION_FILE} and {_ROOT} among the sources, saw neither or one")
    files[_VERSION_FILE] = _with_version(files[_VERSION_FILE].decode(), version).encode()
    info = f"{PACKAGE}-{version}.dist-info"
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: lens-engine\nVersion: {version}\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: lens\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    moment = datetime.fromtimestamp(max(epoch, _ZIP_EPOCH), UTC).timetuple()[:6]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for path in sorted(files):
            member = zipfile.ZipInfo(path, moment)
            member.external_attr = 0o100644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(member, files[path], compresslevel=9)
    return buffer.getvalue()


def index_archive(files: Mapping[str, bytes], top: str, epoch: int) -> bytes:
    """A ``.tar.xz`` of ``files`` (path → bytes) below the one folder ``top``, dated ``epoch``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz", preset=9, format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            member = tarfile.TarInfo(f"{top}/{path}")
            member.size, member.mtime, member.mode = len(files[path]), epoch, 0o644
            tar.addfile(member, io.BytesIO(files[path]))
    return buffer.getvalue()


def _with_version(text: str, version: str) -> str:
    lines = [f'{_VERSION_LINE}"{version}"' if line.startswith(_VERSION_LINE) else line for line in text.splitlines()]
    if f'{_VERSION_LINE}"{version}"' not in lines:
        raise ValueError(f"expected a line {_VERSION_LINE!r} in {_VERSION_FILE}, saw none")
    return "\n".join(lines) + "\n"


def _record(files: Mapping[str, bytes], record: str) -> bytes:
    rows = []
    for path in sorted(files):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(files[path])}")
    return "\n".join([*rows, f"{record},,"]).encode() + b"\n"
