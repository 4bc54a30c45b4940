"""A base image's file system from Debian packages: unpacked, never installed; no shell, no maintainer script.

The way of the distroless images: each package's files as they are, ``/bin`` and ``/lib`` merged into ``/usr``,
its record under ``var/lib/dpkg/status.d`` with the MD5 of every file, and by hand the few files that scripts
would have made (``base_lock.GENERATED``). The tar has the same bytes each time that it is made of the same
packages: entries by path, owner root, the packages' own times, and the newest of them for what is made here.

Below ``cache``::

    debs/<sha256>.deb            packages, verified each time they are read
    bases/<key>.tar              bases (key: digests of the packages, and the rules)
    bases/<key>.tar.sha256       what was written; a tar that differs is made anew
"""

import hashlib
import io
import json
import posixpath
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lens_core.adapters.debian_index import DebianIndex
from lens_core.errors import IntegrityError, Unavailable
from lens_core.model import Digest
from lens_core.supply.base_lock import BaseLock, DebPackage
from lens_core.supply.words import Progress

BASE_RULES_VERSION = 1
"""Counted up when other files of a package are taken, or other files are made."""
PACKAGES = (
    "python3-minimal", "libpython3.11-stdlib", "libssl3", "base-files", "netbase", "tzdata", "ca-certificates",
)  # fmt: skip
"""What an engine in Python 3.11 needs; apt adds what these depend on."""
FOR_SCRIPTS_ONLY = frozenset({
    "debconf", "dpkg", "gcc-12-base", "libacl1", "libmd0", "libpcre2-8-0", "libselinux1", "libzstd1", "mawk", "openssl",
    "perl-base", "readline-common", "tar",
})  # fmt: skip
"""Left out of the closure: only maintainer scripts (which never run) and dpkg itself need them."""
USER_ID = 65532
"""``nonroot``, as in other images without a shell."""

_BATCH = 8
_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_DROPPED = ("usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/",
            "usr/share/bug/", "usr/share/doc-base/")  # fmt: skip
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\n"  # pragma: allowlist secret (no password)
    f"nonroot:x:{USER_ID}:{USER_ID}:nonroot:/home/nonroot:/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nnonroot:x:{USER_ID}:\nnobody:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
}
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_RECORDS = "var/lib/dpkg/status.d"


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A base: its file system as an uncompressed tar, the tar's digest (so the layer's diff id), and its lock."""

    tar: Path
    digest: Digest
    lock: BaseLock

    @property
    def packages(self) -> tuple[DebPackage, ...]:
        """The packages that it is made of, by name."""
        return self.lock.packages


_Entry = tuple[tarfile.TarInfo, bytes]


class DebianBase:
    """Assembles bases in the folder ``cache``, from what ``index`` resolves."""

    def __init__(self, cache: Path, index: DebianIndex) -> None:
        self._debs = cache / "debs"
        self._bases = cache / "bases"
        self._index = index

    def build(self, progress: Progress, lock: BaseLock | None = None) -> BaseImage:
        """The base of today's packages, or of an earlier ``lock``'s.

        Unavailable when a package cannot be had (Debian's pool drops superseded versions, so an old lock needs
        its cache); IntegrityError when a package or its list is not what was signed or locked.
        """
        if lock is None:
            resolved = self._index.resolve(PACKAGES, sorted(FOR_SCRIPTS_ONLY), progress)
            lock, urls = resolved.lock, resolved.urls
        else:
            urls = {} if all(map(self._whole, lock.packages)) else self._index.locate(lock)
        self._fetch(lock.packages, urls, progress)
        tar = self._bases / f"{_key(lock)}.tar"
        digest = _kept(tar)
        if digest is None:
            progress(f"assembling the base of {len(lock.packages)} packages")
            digest = self._assemble(lock, tar)
        return BaseImage(tar, digest, lock)

    def _fetch(self, packages: Sequence[DebPackage], urls: dict[str, tuple[str, ...]], progress: Progress) -> None:
        self._debs.mkdir(parents=True, exist_ok=True)
        missing = [item for item in packages if not self._whole(item)]
        rounds = max((len(urls.get(item.sha256, ())) for item in missing), default=0)
        failure: Unavailable | None = None
        for attempt in range(rounds):
            for start in range(0, len(missing), _BATCH):
                progress(f"fetching {min(start + _BATCH, len(missing))} of {len(missing)} packages")
                batch = missing[start : start + _BATCH]
                offers = [(urls[item.sha256], self._part(item), item.sha256) for item in batch]
                files = [(offer[attempt], part, sha256) for offer, part, sha256 in offers if attempt < len(offer)]
                try:
                    self._index.download(files)
                except Unavailable as error:  # of some; the others of the batch are there
                    failure = error
            missing = [item for item in missing if not self._whole(item)]
        if missing:
            item = missing[0]
            raise Unavailable(
                f"{item.name} {item.version} cannot be fetched: {failure.message if failure else 'no source has it'}",
                "check the network; for an old lock, bring the cache that it was cut with (debs/), or cut without it",
            ) from failure

    def _whole(self, item: DebPackage) -> bool:
        part = self._part(item)
        if part.is_file() and _sha256(part.read_bytes()) == item.sha256:
            part.replace(self._place(item))
        place = self._place(item)
        if not place.is_file():
            return False
        if _sha256(place.read_bytes()) != item.sha256:
            place.unlink()
        return place.is_file()

    def _place(self, item: DebPackage) -> Path:
        return _deb(self._debs, item)

    def _part(self, item: DebPackage) -> Path:
        return self._debs / f"{item.sha256}.deb.part"

    def _assemble(self, lock: BaseLock, place: Path) -> Digest:
        with ThreadPoolExecutor(2) as pool:  # dpkg-deb unpacks in processes of its own
            parts = list(pool.map(lambda item: _unpacked(item, self._place(item)), sorted(lock.packages)))
        entries: dict[str, _Entry] = {}
        for item, part in zip(sorted(lock.packages), parts, strict=True):
            for path, entry in part.items():
                earlier = entries.get(path)
                if earlier and not (earlier[0].isdir() and entry[0].isdir()):
                    raise IntegrityError(
                        f"{item.name} and an earlier package both bring {path}", "leave one of them out"
                    )
                entries.setdefault(path, entry)
        newest = max(int(info.mtime) for info, _ in entries.values())
        for entry in _made_here(entries, newest):
            entries[entry[0].name] = entry
        content = _tar(entries)
        place.parent.mkdir(parents=True, exist_ok=True)
        part_file = place.with_suffix(".part")
        part_file.write_bytes(content)
        part_file.replace(place)
        digest = Digest(f"sha256:{_sha256(content)}")
        place.with_suffix(".tar.sha256").write_text(f"{digest}\n", encoding="ascii")
        return digest


def made_by_hand(cache: Path, lock: BaseLock) -> dict[str, str]:
    """The files of a base that no package brings, computed anew from the archives: path → SHA-256 in hex."""
    certificates = [item for item in lock.packages if item.name == "ca-certificates"]
    entries: dict[str, _Entry] = {}
    for item in certificates:
        entries |= _unpacked(item, _deb(cache / "debs", item))
    return {info.name: _sha256(content) for info, content in _made_here(entries, 0) if info.isreg()}


def _deb(folder: Path, item: DebPackage) -> Path:
    return folder / f"{item.sha256}.deb"


def _unpacked(item: DebPackage, deb: Path) -> dict[str, _Entry]:
    """The package's entries by path, and its two records."""
    entries: dict[str, _Entry] = {}
    sums = []
    with tarfile.open(fileobj=io.BytesIO(_dpkg_deb("--fsys-tarfile", deb))) as tar:
        for member in tar:
            path = _merged(member.name)
            if path and not _dropped(path):
                source = tar.extractfile(member) if member.isreg() else None
                content = source.read() if source else b""
                entries[path] = (_plain(member, path), content)
                if member.isreg():
                    sums.append(f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  {path}\n")
    newest = max((int(info.mtime) for info, _ in entries.values()), default=0)
    with tarfile.open(fileobj=io.BytesIO(_dpkg_deb("--ctrl-tarfile", deb))) as tar:
        control = next(member for member in tar if posixpath.normpath(member.name) == "control")
        source = tar.extractfile(control)
        record = source.read() if source else b""
    for name, content in ((item.name, record), (f"{item.name}.md5sums", "".join(sorted(sums, key=_after)).encode())):
        path = f"{_RECORDS}/{name}"
        entries[path] = (_file(path, newest), content)
    return entries


def _after(line: str) -> str:
    return line.partition("  ")[2]


def _merged(name: str) -> str:
    """The path in a file system whose ``/bin`` and ``/lib`` are links into ``/usr``; "" for the root itself."""
    path = posixpath.normpath(name).lstrip("/")
    if path in {".", ""}:
        return ""
    if ".." in path.split("/"):
        raise IntegrityError(f"a package has a file outside of the root: {name}", "this is no package of Debian's")
    return f"usr/{path}" if path.split("/")[0] in _MERGED else path


def _dropped(path: str) -> bool:
    """Documentation and translations; the copyright files stay, as their licences ask."""
    return path.startswith(_DROPPED) and not path.endswith("/copyright")


def _plain(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.size, info.mtime = member.type, member.size if member.isreg() else 0, int(member.mtime)
    info.mode = member.mode & 0o1777  # nothing here may gain rights by being run
    info.linkname = _merged(member.linkname) if member.islnk() else member.linkname
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise IntegrityError(f"{path} is neither file, folder nor link", "leave its package out of the base")
    return info


def _file(path: str, mtime: int, mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.mtime, info.mode = mtime, mode
    return info


def _made_here(entries: dict[str, _Entry], mtime: int) -> Iterable[_Entry]:
    """What scripts would have made: accounts, the bundle of certificates, the links of merged ``/usr``, folders."""
    for path, text in _ACCOUNTS.items():
        yield _file(path, mtime), text.encode()
    roots = (
        path for path in sorted(entries) if path.startswith("usr/share/ca-certificates/") and path.endswith(".crt")
    )
    yield _file(_BUNDLE, mtime), b"".join(entries[path][1].rstrip(b"\n") + b"\n" for path in roots)
    for name in _MERGED:
        if any(path.startswith(f"usr/{name}/") for path in entries):
            link = _file(name, mtime, 0o777)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            yield link, b""
    for path, mode, owner in (("tmp", 0o1777, 0), ("home/nonroot", 0o700, USER_ID)):
        folder = _file(path, mtime, mode)
        folder.type, folder.uid, folder.gid = tarfile.DIRTYPE, owner, owner
        yield folder, b""


def _tar(entries: dict[str, _Entry]) -> bytes:
    """The entries by path, with the folders that lack one."""
    newest = max(int(info.mtime) for info, _ in entries.values())
    for path in list(entries):
        while path := posixpath.dirname(path):
            if path not in entries:
                folder = _file(path, newest, 0o755)
                folder.type = tarfile.DIRTYPE
                entries[path] = (folder, b"")
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as tar:
        # A hard link must come after what it names.
        for path in sorted(entries, key=lambda path: (entries[path][0].islnk(), path)):
            info, content = entries[path]
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return whole.getvalue()


def _dpkg_deb(action: str, deb: Path) -> bytes:
    try:
        done = subprocess.run(["dpkg-deb", action, str(deb)], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise Unavailable("dpkg-deb is not on this machine", "cut on Debian, or name a base image") from error
    if done.returncode != 0:
        seen = done.stderr.decode(errors="replace").strip()[-300:]
        raise IntegrityError(f"{deb.name} cannot be unpacked: {seen}", f"remove {deb} and cut again")
    return done.stdout


def _key(lock: BaseLock) -> str:
    content = [BASE_RULES_VERSION, sorted(package.sha256 for package in lock.packages)]
    return _sha256(json.dumps(content).encode())[:24]


def _kept(tar: Path) -> Digest | None:
    written = tar.with_suffix(".tar.sha256")
    if not tar.is_file() or not written.is_file():
        return None
    with tar.open("rb") as file:
        seen = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    return Digest(seen) if written.read_text(encoding="ascii").strip() == seen else None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
