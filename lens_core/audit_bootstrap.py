"""Joins the audit log's adapters: ``trail_of(settings)`` for whoever writes, ``open_audit()`` for whoever looks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from lens_core.adapters.audit_anchors import FileAnchors, FolderAnchors, parse_anchors
from lens_core.adapters.audit_anchors_git import DEFAULT_REF, GitAnchors
from lens_core.adapters.audit_log import Trail
from lens_core.adapters.audit_reader import exported_line, newest_first, reading
from lens_core.adapters.own_keys import AUDIT, key_folder, own_key, public_folder, public_keys
from lens_core.audit import Anchor, Entry
from lens_core.audit_records import mismatches
from lens_core.audit_verification import AuditVerification, verify
from lens_core.config import Settings, load_settings
from lens_core.errors import InvalidInput, Unavailable
from lens_core.late import late
from lens_core.signoff_ports import AuditAnchors
from lens_core.supply.signatures import key_id, public_key_of
from lens_core.supply.words import Signer


def trail_of(settings: Settings) -> Trail:
    """What every ledger of ``settings`` is written with; InvalidInput for an anchor that is none.

    The key is looked for, or made, when something is written: opening a ledger to read it needs none.
    """
    home, audit = settings.home, settings.audit

    def signer() -> Signer:
        return own_key(AUDIT, key_folder(home, audit.key_folder), public_folder(home))

    keys = partial(public_keys, AUDIT, public_folder(home))
    return Trail(signer, anchors_of(settings), keys=keys, rest_s=audit.every_s)


def anchors_of(settings: Settings, home: Path | None = None) -> tuple[AuditAnchors, ...]:
    """The places that ``[audit] anchors`` names; InvalidInput for none. Relative ones lie in the home folder.

    Another ``home`` is one that is being restored, and not in place yet.
    """
    folder = home or settings.home
    return tuple(_place(name, folder, settings.audit.timeout_s) for name in settings.audit.anchors)


def _place(name: str, home: Path, timeout_s: float) -> AuditAnchors:
    if name.startswith("git:"):
        folder, _, ref = name.removeprefix("git:").partition("#")
        return GitAnchors(home / folder, ref or DEFAULT_REF, timeout_s)
    if "://" in name:
        # A command that writes to files and refs alone needs no network client.
        made: AuditAnchors = late("lens_core.adapters.audit_anchors_https").HttpsAnchors(name, timeout_s)
        return made
    if not name:
        raise InvalidInput("expected a place for the audit log's heads, saw an empty one", "see [audit] of lens.toml")
    return FolderAnchors(home / name) if name.endswith("/") else FileAnchors(home / name)


class OpenAudit:
    """The audit log of a home folder, read without the ledger's own code."""

    def __init__(self, home: Path, places: Sequence[AuditAnchors]) -> None:
        self._home, self._places = home, places

    @property
    def file(self) -> Path:
        """Where the ledger lies."""
        return self._home / "lens.db"

    def keys(self) -> Mapping[str, bytes]:
        """The public keys that this home's log was signed with, raw, by id."""
        return public_keys(AUDIT, public_folder(self._home))

    def verify(self, keys: Mapping[str, bytes] | None = None, *, every_signature: bool = False) -> AuditVerification:
        """Verify the log against the places that keep its heads, and the ledger's tables against the log.

        ``keys`` are believed in place of the home's own. A place that does not answer is a warning.
        """
        anchors, unread = self._anchors()
        believed = self.keys() if keys is None else keys
        return verify_file(self.file, believed, anchors, every_signature=every_signature, warnings=unread)

    def entries(self, last: int, subject: str = "", what: str = "") -> tuple[Entry, ...]:
        """The newest entries whose subject and name begin so, oldest first; what verifies is another question."""
        with newest_first(self.file) as kept:
            entries = (Entry.decode(one.content) for one in kept)
            chosen = (one for one in entries if one.subject.startswith(subject) and one.what.startswith(what))
            return tuple(islice(chosen, last))[::-1]

    def anchor(self) -> tuple[Anchor, Mapping[str, str]]:
        """Keep the newest head everywhere, now; the anchor, and why each place that failed did not take it."""
        with newest_first(self.file) as kept:
            newest = next(kept, None)
        if newest is None:
            raise InvalidInput("expected an entry in the audit log, saw none", "there is nothing to anchor yet")
        at = Entry.decode(newest.content).at
        anchor, failed = Anchor(newest.number, newest.head, at, newest.key, newest.signature), {}
        for place in self._places:
            try:
                place.keep(anchor)
            except Unavailable as error:
                failed[place.name] = error.message
        return anchor, failed

    @property
    def places(self) -> tuple[str, ...]:
        """Names of the places that keep heads."""
        return tuple(place.name for place in self._places)

    def export(self, file: Path) -> int:
        """Write all entries to a new file, one a line; how many. InvalidInput for a file that is there."""
        try:
            with reading(self.file) as found, file.open("xb") as opened:
                count = 0
                for one in found.entries:
                    opened.write(exported_line(one))
                    count += 1
                return count
        except OSError as error:
            raise InvalidInput(f"{file} cannot be written: {error.strerror}", "name a file that is new") from error

    def _anchors(self) -> tuple[list[Anchor], list[str]]:
        found: list[Anchor] = []
        unread: list[str] = []
        for place in self._places:
            try:
                found += place.anchors()
            except Unavailable as error:
                unread.append(f"heads cannot be read from {place.name}: {error.message}")
        return found, unread


def open_audit(home: Path | None = None, config: Path | None = None) -> OpenAudit:
    """The audit log of the configured home folder; InvalidInput without a ledger there."""
    settings = load_settings(home, config)
    return audit_of(settings)


def audit_of(settings: Settings) -> OpenAudit:
    """The audit log of ``settings``."""
    return OpenAudit(settings.home, anchors_of(settings))


def verify_file(
    file: Path,
    keys: Mapping[str, bytes],
    anchors: Sequence[Anchor],
    *,
    every_signature: bool = False,
    warnings: Sequence[str] = (),
) -> AuditVerification:
    """Verify a ledger's log, and the ledger by it, or an exported log."""
    with reading(file) as found:
        said = verify(found.entries, keys, anchors, every_signature=every_signature)
    # What is claimed behind a bad entry was not read: nothing can be said of the tables then.
    differ = mismatches(said.claimed, found.held) if found.held is not None and said.first_bad is None else {}
    return replace(said, mismatches=differ, warnings=(*warnings, *said.warnings))


def read_public_key(file: Path) -> tuple[str, bytes]:
    """The log's public key in a PEM file: its id, and itself."""
    try:
        public = public_key_of(file.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", "name the log's public key") from error
    return key_id(public), public


def read_anchors(file: Path) -> tuple[Anchor, ...]:
    """The heads in a file of one a line; in a folder of one a file, when it is one."""
    if not file.exists():
        raise InvalidInput(f"there is no {file}", "name a file or a folder of anchors")
    return tuple(FolderAnchors(file).anchors()) if file.is_dir() else parse_anchors(file.read_bytes(), str(file))
