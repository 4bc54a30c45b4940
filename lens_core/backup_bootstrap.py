"""Joins what backups need: ``open_backups()`` makes them, ``open_restore()`` puts them in place."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from lens_core.adapters.backup import Backups
from lens_core.adapters.clock import SystemClock
from lens_core.adapters.restore import Restore
from lens_core.audit import Anchor
from lens_core.audit_bootstrap import anchors_of, trail_of
from lens_core.config import load_settings
from lens_core.errors import Unavailable


def open_backups(home: Path | None = None, config: Path | None = None) -> Backups:
    """Backups of ``home``, else of the configured home folder."""
    settings = load_settings(home, config)
    return Backups(settings.home, f"lens {version('lens')}", SystemClock().now)


def open_restore(home: Path | None = None, config: Path | None = None, *, lose_newer: bool = False) -> Restore:
    """What restores into ``home``, else into the configured home folder; see ``Restore``."""
    settings = load_settings(home, config)

    def anchors(folder: Path) -> tuple[Sequence[Anchor], Sequence[str]]:
        found: list[Anchor] = []
        unread: list[str] = []
        for place in anchors_of(settings.model_copy(update={"home": folder})):
            try:
                found.extend(place.anchors())
            except Unavailable as error:
                unread.append(f"heads of the audit log could not be read: {error.message}")
        return found, unread

    return Restore(settings.home, trail_of(settings), anchors, lose_newer=lose_newer)
