"""Asks apt which Debian packages a base needs, and believes only what Debian's own key has signed.

apt may be told to trust anything (``[trusted=yes]``, ``--allow-unauthenticated``). So the chain is verified here
once more, from the archive's keyring on: signature of ``InRelease`` → SHA-256 of ``Packages`` → SHA-256 of each
package. A package that stands in no verified index is refused, whoever offered it.
"""

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, unquote

from lens_core.errors import IntegrityError, Unavailable
from lens_core.supply.base_lock import BaseLock, DebPackage, SignedIndex
from lens_core.supply.words import Progress

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Where the package debian-archive-keyring puts the keys of Debian's archive."""
STALE_AFTER = timedelta(days=1)
"""Older lists are refreshed, when that is possible; lists past their own Valid-Until are never used."""

_APT_HELPER = "/usr/lib/apt/apt-helper"
_TARGET = "$(FILENAME)|$(METAKEY)|$(REPO_URI)|$(ORIGIN)|$(ARCHITECTURE)"
_ONLY_DEBIAN = (
    "Package: *\nPin: release o=Debian\nPin-Priority: 900\n\nPackage: *\nPin: release o=*\nPin-Priority: -1\n"
)
_OTHER_BASE = "or name a base image that the engine can pull: base_image of [cut]"
_LINE = re.compile(r"'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a base consists of, and where each package may be fetched: ``urls`` by SHA-256, the likeliest first."""

    lock: BaseLock
    urls: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Index:
    """A verified index: what signed it, its text, and the address that its paths are relative to."""

    signed: SignedIndex
    text: bytes
    repository: str
    valid_until: datetime | None


class DebianIndex:
    """The machine's apt, with its own sources and proxies, asked without touching what is installed.

    ``stamps`` is a folder for the moment of the last refresh; ``now`` gives the time in UTC; ``options`` are
    further ``-o`` settings for apt (tests point it at other sources).
    """

    def __init__(
        self, stamps: Path, now: Callable[[], datetime], *, keyring: Path = KEYRING, options: Sequence[str] = ()
    ) -> None:
        self._stamps = stamps
        self._now = now
        self._keyring = keyring
        self._options = [part for option in options for part in ("-o", option)]

    def resolve(self, names: Sequence[str], without: Sequence[str], progress: Progress) -> Resolved:
        """The packages ``names`` and all that they depend on, but ``without``, by name.

        Unavailable when apt cannot tell (no apt, no lists, no such package), IntegrityError when a package is in
        no index that Debian signed.
        """
        indexes = self._fresh_indexes(progress)
        packages: list[DebPackage] = []
        urls: dict[str, tuple[str, ...]] = {}
        used: set[SignedIndex] = set()
        for line in self._closure(names).splitlines():
            found = _LINE.fullmatch(line.strip())
            if not found:
                raise Unavailable(f"apt named a package without a SHA-256: {line[:200]}", "run apt-get update")
            package, index = _vouched(found["sha256"], indexes)
            if package.name in without:
                continue
            packages.append(package)
            urls[package.sha256] = (found["uri"],)
            used.add(index.signed)
        return Resolved(BaseLock(tuple(sorted(packages)), tuple(sorted(used))), urls)

    def locate(self, lock: BaseLock) -> dict[str, tuple[str, ...]]:
        """Where the packages of an earlier lock may still be, by SHA-256: the same place in each repository."""
        repositories = sorted({repository for _, _, repository in self._targets()})
        return {
            item.sha256: tuple(f"{base}{quote(item.path, safe='/')}" for base in repositories) for item in lock.packages
        }

    def download(self, files: Sequence[tuple[str, Path, str]]) -> None:
        """Fetch (address, place, SHA-256) with apt's own means: proxies, resuming, verification."""
        arguments = [part for url, place, sha256 in files for part in (url, str(place), f"SHA256:{sha256}")]
        self._run([_APT_HELPER, "-q", "-o", "APT::Sandbox::User=root", *self._options, "download-file", *arguments])

    def _closure(self, names: Sequence[str]) -> str:
        with tempfile.TemporaryDirectory(prefix="lens-apt-") as folder:
            place = Path(folder)
            (place / "status").touch()
            (place / "preferences").write_text(_ONLY_DEBIAN, encoding="ascii")
            # Without the empty archives folder apt silently leaves out packages that it has downloaded before.
            (place / "archives" / "partial").mkdir(parents=True)
            settings = {
                "Dir::State::status": place / "status",
                "Dir::Cache::archives": place / "archives",
                "Dir::Etc::preferences": place / "preferences",
                "Dir::Etc::preferencesparts": place / "none",
                "Dir::Cache::pkgcache": "",  # the machine's own is of what it has installed
                "Acquire::ForceHash": "SHA256",  # else it prints MD5
                "APT::Install-Recommends": "false",
                "APT::Get::AllowUnauthenticated": "false",
                "Debug::NoLocking": "true",
            }
            options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
            command = ["apt-get", "-qq", "-y", "--print-uris", *self._options, *options, "install", "--reinstall"]
            return self._run([*command, *names]).decode()

    def _fresh_indexes(self, progress: Progress) -> list[_Index]:
        indexes = self._verified()
        stamp = self._stamps / "apt-refreshed"
        known = [parsedate_to_datetime(index.signed.date) for index in indexes]
        if stamp.exists():
            known.append(datetime.fromtimestamp(stamp.stat().st_mtime, UTC))
        if not indexes or self._now() - max(known) > STALE_AFTER:
            progress("refreshing apt's lists")
            try:
                self._run(["apt-get", "-qq", *self._options, "update"])
            except Unavailable as error:
                progress(f"apt's lists stay as they are: {error.message[:120]}")
            else:
                self._stamps.mkdir(parents=True, exist_ok=True)
                stamp.touch()
                os.utime(stamp, (self._now().timestamp(),) * 2)
                indexes = self._verified()
        if not indexes:
            raise Unavailable(
                "apt has no list of packages that Debian's archive keys have signed",
                f"run apt-get update with Debian's sources, {_OTHER_BASE}",
            )
        for index in indexes:
            if index.valid_until and index.valid_until < self._now():
                raise Unavailable(
                    f"apt's list of {index.signed.suite} was valid until {index.valid_until:%Y-%m-%d %H:%M} UTC only",
                    f"run apt-get update, {_OTHER_BASE}",
                )
        return indexes

    def _targets(self) -> list[tuple[str, str, str]]:
        lines = self._run(["apt-get", *self._options, "indextargets", "--format", _TARGET, "Created-By: Packages"])
        found = []
        for line in lines.decode().splitlines():
            file, key, repository, origin, architecture = line.split("|")
            if origin == "Debian" and architecture != "all":
                found.append((file, key, repository))
        return found

    def _verified(self) -> list[_Index]:
        return [found for target in self._targets() if (found := self._verify(*target))]

    def _verify(self, file: str, key: str, repository: str) -> _Index | None:
        """The index with its chain verified; None when its signature is not one of Debian's."""
        base = re.sub(r"\.(lz4|xz|gz|zst|bz2|lzma)$", "", file).removesuffix(key.replace("/", "_"))
        release = Path(f"{base}InRelease")
        if not release.is_file():
            return None
        keys, text = self._signed(release)
        if not keys:
            return None
        expected = re.search(
            rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(key)}$", text.partition("\nSHA256:")[2], re.MULTILINE
        )
        content = self._run([_APT_HELPER, "cat-file", file])
        seen = hashlib.sha256(content).hexdigest()
        if not expected or expected[1] != seen:
            raise IntegrityError(
                f"{Path(file).name} is not what Debian signed: expected sha256 {expected and expected[1]}, saw {seen}",
                "remove it from /var/lib/apt/lists and run apt-get update; if it stays, find out who writes there",
            )
        fields = _fields(text.partition("\nSHA256:")[0])
        until = parsedate_to_datetime(fields["Valid-Until"]) if "Valid-Until" in fields else None
        release_sha256 = hashlib.sha256(release.read_bytes()).hexdigest()
        suite = fields["Codename"] if "Codename" in fields else fields.get("Suite", "")
        return _Index(SignedIndex(suite, fields["Date"], release_sha256, seen, keys), content, repository, until)

    def _signed(self, release: Path) -> tuple[tuple[str, ...], str]:
        """Fingerprints of the good signatures, and the text that was signed (not what stands around it)."""
        if not self._keyring.is_file():
            raise Unavailable(
                f"the keys of Debian's archive are not in {self._keyring}",
                f"apt-get install debian-archive-keyring, {_OTHER_BASE}",
            )
        with tempfile.TemporaryDirectory(prefix="lens-gpgv-") as folder:
            signed = Path(folder) / "signed"
            command = [
                "gpgv",
                "--status-fd",
                "1",
                "--keyring",
                str(self._keyring),
                "--output",
                str(signed),
                str(release),
            ]
            said = _start(command).stdout.decode(errors="replace")
            # An unknown second key is no harm (archives change keys); a signature that does not hold is, and so is
            # a second message in the file: it would not be clear which of the two gpgv speaks of.
            messages = release.read_bytes().count(b"-----BEGIN PGP SIGNED MESSAGE-----")
            if "[GNUPG:] BADSIG" in said or messages != 1 or not signed.is_file():
                return (), ""
            keys = re.findall(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]{40})", said, re.MULTILINE)
            return tuple(sorted(keys)), signed.read_text(encoding="utf-8")

    def _run(self, command: Sequence[str]) -> bytes:
        done = _start(command)
        if done.returncode != 0:
            seen = done.stderr.decode(errors="replace").strip()[-600:]
            raise Unavailable(f"{Path(command[0]).name} failed: {seen}", f"mend apt's sources, {_OTHER_BASE}")
        return done.stdout


def _start(command: Sequence[str]) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(command, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise Unavailable(
            f"{command[0]} is not on this machine, and a base of Debian packages needs it",
            f"cut on Debian with apt and gpgv, {_OTHER_BASE}",
        ) from error


def _fields(stanza: str) -> dict[str, str]:
    """The fields of a control stanza that stand on one line."""
    found: list[tuple[str, str]] = re.findall(r"^([A-Za-z0-9-]+): (.+)$", stanza, re.MULTILINE)
    return dict(found)


def _vouched(sha256: str, indexes: Sequence[_Index]) -> tuple[DebPackage, _Index]:
    needle = f"\nSHA256: {sha256}\n".encode()
    for index in indexes:
        place = index.text.find(needle)
        if place < 0:
            continue
        start, end = index.text.rfind(b"\n\n", 0, place), index.text.find(b"\n\n", place)
        stanza = index.text[max(start, 0) : end if end >= 0 else None].decode()
        fields = _fields(stanza)
        package = DebPackage(
            fields["Package"],
            fields["Version"],
            fields["Architecture"],
            sha256,
            int(fields["Size"]),
            unquote(fields["Filename"]),
        )
        return package, index
    raise IntegrityError(
        f"apt wants a package (sha256 {sha256}) that stands in no list signed by Debian's archive keys",
        "look for [trusted=yes] or foreign sources in /etc/apt; Lens takes a base from Debian only",
    )
