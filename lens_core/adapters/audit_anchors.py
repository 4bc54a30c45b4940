"""Heads of the audit log outside of the database: as lines of a file, and as files of a folder."""

import base64
import binascii
import json
import os
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from lens_core.audit import HEAD, TIME, Anchor, moment
from lens_core.errors import IntegrityError, Unavailable
from lens_core.supply import canonical, shape
from lens_core.supply.signatures import KEY_ID

FORMAT = "lens.anchor/1"
_MEMBERS = ("format", "number", "head", "at", "key", "signature")


def anchor_document(anchor: Anchor) -> dict[str, Any]:
    """An anchor as JSON has it."""
    return {
        "format": FORMAT,
        "number": anchor.number,
        "head": anchor.head,
        "at": anchor.at.astimezone(UTC).strftime(TIME),
        "key": anchor.key,
        "signature": base64.b64encode(anchor.signature).decode(),
    }


def anchor_line(anchor: Anchor) -> bytes:
    """An anchor as one line of canonical JSON, without its line break."""
    return canonical.encode(anchor_document(anchor))


def parse_anchor(content: bytes, where: str) -> Anchor:
    """The anchor in one line; IntegrityError for anything else."""
    try:
        document = json.loads(content)
        found = shape.members(document, _MEMBERS, where)
        shape.exactly(found["format"], FORMAT, where)
        return Anchor(
            shape.whole(found["number"], where),
            shape.text(found["head"], HEAD, where),
            moment(found["at"]),
            shape.text(found["key"], KEY_ID, where),
            base64.b64decode(found["signature"], validate=True),
        )
    except (ValueError, TypeError, binascii.Error) as error:
        raise IntegrityError(f"{where}: expected an anchor of the audit log, saw {content[:60]!r}") from error


def parse_anchors(content: bytes, where: str) -> tuple[Anchor, ...]:
    """The anchors in a text of one a line, by their numbers; IntegrityError for a line that is none.

    A line that does not end as an anchor does was being written when a machine died: it is left out.
    """
    lines = enumerate(content.split(b"\n"), 1)
    found = (parse_anchor(line, f"{where}, line {number}") for number, line in lines if line.endswith(b"}"))
    return tuple(sorted(found, key=lambda anchor: (anchor.number, anchor.head)))


class FileAnchors:
    """A file that is only appended to, one anchor a line. Keeps the ``AuditAnchors`` port."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def name(self) -> str:
        """See ``AuditAnchors``."""
        return str(self._file)

    def keep(self, anchor: Anchor) -> None:
        """See ``AuditAnchors``. Written in one call and brought to the disk, behind a torn line on one of its own."""
        line = anchor_line(anchor) + b"\n"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab+", buffering=0) as opened:
                size = opened.seek(0, os.SEEK_END)
                opened.seek(max(0, size - len(line)))
                tail = opened.read()
                if tail == line:
                    return
                opened.write(line if not tail or tail.endswith(b"\n") else b"\n" + line)
                os.fsync(opened.fileno())
        except OSError as error:
            raise Unavailable(f"{self._file} cannot be written: {error.strerror}", "mend its rights") from error

    def anchors(self) -> Sequence[Anchor]:
        """See ``AuditAnchors``; none without a file."""
        try:
            return parse_anchors(self._file.read_bytes(), str(self._file))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise Unavailable(f"{self._file} cannot be read: {error.strerror}", "mend its rights") from error


class FolderAnchors:
    """A folder with a file for each anchor: another disk, or one that can be written once. Keeps ``AuditAnchors``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """See ``AuditAnchors``."""
        return f"{self._folder}/"

    def keep(self, anchor: Anchor) -> None:
        """See ``AuditAnchors``. A file appears whole, and is never written again."""
        place = self._folder / f"{anchor.number:010}-{anchor.head.removeprefix('sha256:')[:16]}.json"
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            if place.exists():
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as opened:
                opened.write(anchor_line(anchor) + b"\n")
                opened.flush()
                os.fsync(opened.fileno())
            part.replace(place)
        except OSError as error:
            raise Unavailable(f"{place} cannot be written: {error.strerror}", "mend its rights") from error

    def anchors(self) -> Sequence[Anchor]:
        """See ``AuditAnchors``; none without the folder."""
        try:
            found = [parse_anchor(file.read_bytes(), str(file)) for file in self._folder.glob("[0-9]*.json")]
        except OSError as error:
            raise Unavailable(f"{self._folder} cannot be read: {error.strerror}", "mend its rights") from error
        return sorted(found, key=lambda anchor: (anchor.number, anchor.head))
