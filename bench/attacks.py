"""Images that somebody has tampered with, and what a list of their contents ought to show.

Each ``Attack`` edits the layers of ``sample_image.clean_layers()`` in place, or lays another one on top. What it
plants is named by ``subject``; ``needs_locked`` says that the image's own records agree with what was done, so that
only the locked archives can tell.
"""

import tarfile
from collections.abc import Callable
from dataclasses import dataclass

from bench.sample_image import ELF, RECORDS, SITE, STDLIB, Deb, Layer, Node, Wheel, link, md5, record, sha256_word

Edit = Callable[[list[Layer]], None]

_DECODER = f"{STDLIB}/json/decoder.py"
_EDITED = Node(b"import os\nos.system('true')\n")
_IMPLANT = Node(ELF + b"implant", 0o755)


@dataclass(frozen=True, slots=True)
class Attack:
    """One way to tamper.

    ``subject`` is part of the subject of a finding that names it; ``planted`` are words of which one stands in a
    list that shows it (name, purl or path).
    """

    name: str
    edit: Edit
    subject: str
    planted: tuple[str, ...]
    needs_locked: bool = False


def replace_in(layers: list[Layer], path: str, node: Node) -> None:
    """Put another node at a path that is there."""
    for layer in layers:
        for at, (seen, _) in enumerate(layer):
            if seen == path:
                layer[at] = (path, node)
                return
    raise KeyError(path)


def content_of(layers: list[Layer], path: str) -> bytes:
    """What is at a path."""
    return next(node.content for layer in layers for seen, node in layer if seen == path)


def remove(layers: list[Layer], *paths: str) -> None:
    """Take members out."""
    for layer in layers:
        layer[:] = [member for member in layer if member[0] not in paths]


def _add(*members: tuple[str, Node]) -> Edit:
    """An edit that adds members to the application's layer."""
    return lambda layers: layers[-1].extend(members)


def _above(*members: tuple[str, Node]) -> Edit:
    """An edit that lays another layer on top."""
    return lambda layers: layers.append(list(members))


def _put(path: str, node: Node) -> Edit:
    return lambda layers: replace_in(layers, path, node)


def _rewrite(path: str, old: str, new: str) -> Edit:
    """An edit of a text file, which must change something."""

    def edit(layers: list[Layer]) -> None:
        text = content_of(layers, path).decode()
        if old not in text:
            raise KeyError(old)
        replace_in(layers, path, Node(text.replace(old, new).encode()))

    return edit


def _both(*edits: Edit) -> Edit:
    def edit(layers: list[Layer]) -> None:
        for one in edits:
            one(layers)

    return edit


def _edited_with_md5sums(layers: list[Layer]) -> None:
    old = content_of(layers, _DECODER)
    replace_in(layers, _DECODER, _EDITED)
    _rewrite(f"{RECORDS}/libpython3.11-stdlib.md5sums", md5(old), md5(_EDITED.content))(layers)


def _edited_with_record(layers: list[Layer]) -> None:
    path = f"{SITE}/webapp/__init__.py"
    old = content_of(layers, path)
    replace_in(layers, path, _EDITED)
    entry = f"{sha256_word(old)},{len(old)}"
    _rewrite(f"{SITE}/webapp-1.2.0.dist-info/RECORD", entry, f"{sha256_word(_EDITED.content)},{len(_EDITED.content)}")(
        layers
    )


def _command_edited_with_record(layers: list[Layer]) -> None:
    path = f"{SITE}/bin/webapp"
    old = content_of(layers, path)
    new = old.replace(b"import sys\n", b"import sys, evil\n")
    replace_in(layers, path, Node(new, 0o755))
    entry = f"{sha256_word(old)},{len(old)}"
    _rewrite(f"{SITE}/webapp-1.2.0.dist-info/RECORD", entry, f"{sha256_word(new)},{len(new)}")(layers)


def _record_line_removed(layers: list[Layer]) -> None:
    path = f"{SITE}/webapp-1.2.0.dist-info/RECORD"
    lines = content_of(layers, path).decode().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("webapp/__init__.py")]
    replace_in(layers, path, Node("".join(kept).encode()))


def _claimed_pyc(layers: list[Layer]) -> None:
    path = f"{SITE}/webapp-1.2.0.dist-info/RECORD"
    replace_in(layers, path, Node(content_of(layers, path) + b"webapp/__pycache__/x.cpython-311.pyc,,\n"))
    layers[-1].append((f"{SITE}/webapp/__pycache__/x.cpython-311.pyc", Node(b"\xa7\r\r\n")))


def _foreign_claim(layers: list[Layer]) -> None:
    """A distribution of its own that claims a file of the standard library, with the digest of the edited one."""
    replace_in(layers, _DECODER, _EDITED)
    files = {"evil/__init__.py": b""}
    info = "evil-1.0.dist-info"
    listed = {**Wheel("evil", "1.0", files).contents, f"../../{_DECODER}": _EDITED.content}
    layers[-1] += [m for m in Wheel("evil", "1.0", files).installed() if not m[0].endswith("/RECORD")]
    layers[-1].append((f"{SITE}/{info}/RECORD", Node(record(listed, info).encode())))


def _forged_deb(layers: list[Layer]) -> None:
    layers[0] += Deb("coreutils-extra", "9.1-1", {"usr/bin/implant": _IMPLANT}).installed()


def _vendored_and_listed(layers: list[Layer]) -> None:
    """A wheel's copy of a library, as its RECORD in the image says: no file is unowned, the library is hidden."""
    source = b'__version__ = "1.24"\n'
    layers[-1].append((f"{SITE}/webapp/_vendor/urllib3/__init__.py", Node(source)))
    path = f"{SITE}/webapp-1.2.0.dist-info/RECORD"
    line = f"webapp/_vendor/urllib3/__init__.py,{sha256_word(source)},{len(source)}\n"
    replace_in(layers, path, Node(content_of(layers, path) + line.encode()))


_URLLIB3 = f"{SITE}/fastjson/_vendor/urllib3/__init__.py"
_SSL = "usr/lib/x86_64-linux-gnu/libssl.so.3"

ATTACKS: tuple[Attack, ...] = (
    Attack(
        "dpkg record deleted",
        lambda layers: remove(layers, f"{RECORDS}/libssl3", f"{RECORDS}/libssl3.md5sums"),
        _SSL,
        ("libssl",),
    ),
    Attack("implanted program", _add(("usr/bin/implant", _IMPLANT)), "usr/bin/implant", ("implant",)),
    Attack("standard library edited", _put(_DECODER, _EDITED), _DECODER, ("decoder.py",)),
    Attack(
        "vendored library without metadata", _add((_URLLIB3, Node(b"__version__ = '1.24'\n"))), _URLLIB3, ("urllib3",)
    ),
    Attack("vendored library, listed in RECORD", _vendored_and_listed, "_vendor/urllib3", ("urllib3",)),
    Attack("line of RECORD deleted", _record_line_removed, f"{SITE}/webapp/__init__.py", ("webapp/__init__.py",)),
    Attack(
        "file and RECORD edited alike",
        _edited_with_record,
        f"{SITE}/webapp/__init__.py",
        ("webapp/__init__.py",),
        needs_locked=True,
    ),
    Attack(
        "command and RECORD edited alike",
        _command_edited_with_record,
        f"{SITE}/bin/webapp",
        ("bin/webapp",),
        needs_locked=True,
    ),
    Attack("file and md5sums edited alike", _edited_with_md5sums, _DECODER, ("decoder.py",), needs_locked=True),
    Attack(
        "removed by a whiteout, added again by the next layer",
        _both(_above((f"{STDLIB}/json/.wh.decoder.py", Node())), _above((_DECODER, _EDITED))),
        _DECODER,
        ("decoder.py",),
    ),
    Attack(
        "hard link to an implant",
        _add((f"{SITE}/.cache/x", _IMPLANT), ("usr/bin/sh", Node(target=f"{SITE}/.cache/x", kind=tarfile.LNKTYPE))),
        "usr/bin/sh",
        ("usr/bin/sh", ".cache/x"),
    ),
    Attack(
        "a farm of links",
        _add(*[(f"usr/local/bin/{name}", link("../../../tmp/x")) for name in ("ls", "id", "python3")]),
        "usr/local/bin/python3",
        ("usr/local/bin",),
    ),
    Attack(
        "link led elsewhere",
        _put("usr/bin/python3", link("../../opt/app/bin/webapp")),
        "usr/bin/python3",
        ("webapp/bin",),
        needs_locked=True,
    ),
    Attack(
        "set-user-id bit", _put("usr/bin/python3.11", Node(ELF + b"python", 0o4755)), "usr/bin/python3.11", ("setuid",)
    ),
    Attack(
        "capability",
        _put("usr/bin/python3.11", Node(ELF + b"python", 0o755, xattrs={"security.capability": "\x01"})),
        "usr/bin/python3.11",
        ("capability",),
    ),
    Attack(
        "second version in another folder",
        lambda layers: layers[-1].extend(
            Wheel("webapp", "0.9.0", {"webapp/__init__.py": b""}).installed("usr/lib/python3/dist-packages")
        ),
        "webapp-0.9.0.dist-info",
        ("webapp@0.9.0",),
    ),
    Attack(".pth implant", _add((f"{SITE}/zz.pth", Node(b"import os\n"))), f"{SITE}/zz.pth", ("zz.pth",)),
    Attack(
        "pyc implant",
        _add((f"{STDLIB}/json/__pycache__/decoder.cpython-311.pyc", Node(b"\xa7\r\r\n"))),
        "decoder.cpython-311.pyc",
        (".pyc",),
    ),
    Attack("pyc in RECORD without a digest", _claimed_pyc, "x.cpython-311.pyc", (".pyc",)),
    Attack(
        "egg-info alone",
        _add((f"{SITE}/oldlib.egg-info/PKG-INFO", Node(b"Metadata-Version: 1.0\nName: oldlib\nVersion: 0.1\n"))),
        "oldlib.egg-info",
        ("oldlib",),
    ),
    Attack(
        "static program that says its version",
        _add(("usr/local/bin/busybox", Node(ELF + b"\0BusyBox v1.35.0 (Debian)\0", 0o755))),
        "usr/local/bin/busybox",
        ("busybox",),
    ),
    Attack(
        "two dist-info of one name",
        lambda layers: layers[-1].extend(m for m in Wheel("webapp", "1.1.0", {}).installed()),
        "webapp-1.1.0.dist-info",
        ("webapp@1.1.0",),
    ),
    Attack("file name that is no text", _add((f"{SITE}/a\udcff\n.py", _EDITED)), f"{SITE}/a", ("\\xff", "\ufffd")),
    Attack(
        "look-alike file name",
        _add((f"{SITE}/webapp/__in\u0456t__.py", _EDITED)),
        "__in\u0456t__.py",
        ("__in\u0456t__",),
    ),
    Attack(
        "path twice in one layer",
        lambda layers: layers[-1].insert(0, (f"{SITE}/webapp/__init__.py", _EDITED)),
        f"{SITE}/webapp/__init__.py",
        ("twice",),
    ),
    Attack("forged deb that owns the implant", _forged_deb, "coreutils-extra", ("coreutils-extra",), needs_locked=True),
    Attack(
        "version raised in dpkg's record",
        _rewrite(f"{RECORDS}/libssl3", "3.0.15-1", "3.0.99-1"),
        "libssl3",
        ("3.0.15",),
        needs_locked=True,
    ),
    Attack(
        "source package renamed in dpkg's record",
        _rewrite(f"{RECORDS}/libssl3", "openssl", "nothing"),
        f"{RECORDS}/libssl3",
        ("upstream=openssl",),
        needs_locked=True,
    ),
    Attack("distribution that claims another one's file", _foreign_claim, _DECODER, ("evil",)),
    Attack(
        "folder emptied by an opaque whiteout", _above((f"{STDLIB}/json/.wh..wh..opq", Node())), _DECODER, ("missing",)
    ),
    Attack(
        "folder of a package replaced by a link",
        _above((f"{STDLIB}/json", link("/opt/json")), ("opt/json/decoder.py", _EDITED)),
        "opt/json/decoder.py",
        ("opt/json",),
    ),
    Attack("device", _add(("dev/mem", Node(kind=tarfile.CHRTYPE, mode=0o666))), "dev/mem", ("dev/mem",)),
    Attack("program where a declared file is", _put("etc/passwd", _IMPLANT), "etc/passwd", ("etc/passwd",)),
)
