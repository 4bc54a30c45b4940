"""The signed package indexes that apt keeps, and the packages that they list.

Nothing in them is believed before gpgv has verified the InRelease file with the archive's keyring, and the
index has the SHA-256 that the verified text says. apt itself fetches: it knows where the archive is.
"""

import gzip
import hashlib
import lzma
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lens_core.errors import IntegrityError, LensError, Unavailable
from lens_core.supply.debian_archive import Deb, PackagesIndex, Release, read_release

APT_HELPER = "/usr/lib/apt/apt-helper"
"""apt's own reader of its lists, in whatever way they are compressed (Debian's apt package)."""
_COMPRESSIONS = ("", ".gz", ".xz", ".lz4", ".zst", ".bz2")
_UPDATE = "run apt-get update, then scan again"


@dataclass(frozen=True, slots=True)
class SignedIndex:
    """One suite: its verified Release, the digest of that text, and its packages of all components."""

    release: Release
    digest: str
    packages: tuple[PackagesIndex, ...]


class AptLists:
    """apt's lists in ``folder``, verified with ``keyring``.

    With ``refresh`` apt updates them once before they are read (so ``folder`` must be writable); with
    ``offline`` apt fetches nothing at all. ``timeout_s`` bounds each program that is run.
    """

    def __init__(
        self,
        folder: Path,
        keyring: Path,
        *,
        refresh: bool = False,
        offline: bool = False,
        gpgv: str = "gpgv",
        timeout_s: float = 120.0,
    ) -> None:
        self._folder = folder
        self._keyring = keyring
        self._stale = refresh and not offline
        self._offline = offline
        self._gpgv = gpgv
        self._timeout_s = timeout_s

    def read(self, distros: frozenset[str]) -> tuple[tuple[SignedIndex, ...], tuple[str, ...]]:
        """Debian's suites of those releases (``debian-12``), by codename, and what is wrong with any of them."""
        indexes: list[SignedIndex] = []
        errors: list[str] = []
        try:
            self._refresh()
        except LensError as error:
            errors.append(error.message)
        for inrelease in sorted(self._folder.glob("*_InRelease")):
            claimed = Release("", "", "", "", None, None, {})
            try:
                claimed = read_release(inrelease.read_text(encoding="utf-8", errors="replace"))
                if claimed.origin == "Debian" and claimed.distro in distros:
                    indexes.append(self._read_suite(inrelease))
            except LensError as error:
                errors.append(f"{claimed.codename}: {error.message}")
            except (OSError, ValueError) as error:
                errors.append(f"{claimed.codename or 'an InRelease'} cannot be read ({type(error).__name__})")
        return tuple(sorted(indexes, key=lambda index: index.release.codename)), tuple(errors)

    def _refresh(self) -> None:
        if self._stale:
            (self._folder / "partial").mkdir(parents=True, exist_ok=True)
            self._apt("update", folder=self._folder)
            self._stale = False

    def _read_suite(self, inrelease: Path) -> SignedIndex:
        text = self._verified(inrelease)
        release = read_release(text.decode(errors="replace"))
        prefix = inrelease.name.removesuffix("InRelease")
        packages: dict[str, PackagesIndex] = {}
        for file in sorted(self._folder.glob(f"{prefix}*_Packages*")):
            path, _, kind = file.name.removeprefix(prefix).replace("_", "/").partition("/Packages")
            if kind not in _COMPRESSIONS:
                continue
            path += "/Packages"
            content = self._content(file)
            seen, expected = hashlib.sha256(content).hexdigest(), release.files.get(path, "")
            if seen != expected:
                raise IntegrityError(f"{path}: expected sha256 {expected or 'in the Release'}, saw {seen}", _UPDATE)
            packages[path] = PackagesIndex(content.decode(errors="replace"), security=release.is_security)
        if not any(path.startswith("main/") for path in packages):
            raise Unavailable("the index of its component main is not there", _UPDATE)
        if release.is_security and not any(map(len, packages.values())):
            raise IntegrityError("the security suite lists no package", _UPDATE)
        return SignedIndex(release, f"sha256:{hashlib.sha256(text).hexdigest()}", tuple(packages.values()))

    def _verified(self, inrelease: Path) -> bytes:
        """What was signed: gpgv's own output, so that text around the signed part is never read.

        One bad signature among good ones spoils it. GOODSIG is not said of a key that expired or was revoked.
        """
        with tempfile.TemporaryDirectory(prefix="lens-gpgv-") as home:
            command = [self._gpgv, "--homedir", home, "--status-fd", "2", "--output", "-", "--keyring"]
            done = self._run([*command, str(self._keyring.absolute()), str(inrelease)])
        said = {line.split()[1] for line in done.stderr.decode(errors="replace").splitlines() if _is_status(line)}
        if done.returncode != 0 or not {"VALIDSIG", "GOODSIG"} <= said or not done.stdout:
            seen = ", ".join(sorted(said)) or "no signature"
            raise IntegrityError(f"expected a signature of the archive's keyring, gpgv saw: {seen}", _UPDATE)
        return done.stdout

    def _content(self, file: Path) -> bytes:
        try:
            match file.suffix:
                case ".gz":
                    return gzip.decompress(file.read_bytes())
                case ".xz":
                    return lzma.decompress(file.read_bytes())
                case ".lz4" | ".zst" | ".bz2":
                    return self._run([APT_HELPER, "cat-file", str(file)]).stdout
                case _:
                    return file.read_bytes()
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise IntegrityError(f"an index cannot be read ({type(error).__name__})", _UPDATE) from error

    def download(self, debs: Sequence[Deb], folder: Path) -> None:
        """Let apt fetch the packages into ``folder``; which of them came is seen when they are read."""
        if self._offline:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._apt("download", *(f"{deb.name}={deb.version}" for deb in debs), folder=folder)

    def _apt(self, *arguments: str, folder: Path) -> None:
        options = ["-qq", "-o", f"Dir::State::lists={self._folder.absolute()}", "-o", "APT::Sandbox::User="]
        options += ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "Acquire::Retries=3"]
        done = self._run(["apt-get", *options, *arguments], folder)
        if done.returncode != 0:
            raise Unavailable(f"apt-get {arguments[0]} ended with {done.returncode}", _UPDATE)

    def _run(self, command: Sequence[str], folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=self._timeout_s)
        except OSError as error:
            name = Path(command[0]).name
            raise Unavailable(f"{name} cannot be run", f"install {name}: it comes with Debian's apt") from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{Path(command[0]).name} did not end in {self._timeout_s:g} s", "try again") from error


def _is_status(line: str) -> bool:
    return line.startswith("[GNUPG:] ") and len(line.split()) > 1
