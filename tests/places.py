"""Where the project lies, and how a test gets a home folder without downloading again what is here."""

from pathlib import Path

PROJECT = Path(__file__).parents[1]
_KEPT = PROJECT / "data" / "home" / "corpora"


def corpora_cache(otherwise: Path) -> Path:
    """The project's own cache of corpora when it has one, else ``otherwise``."""
    return _KEPT if _KEPT.is_dir() else otherwise


def image_cache() -> Path:
    """The project's own cache of packages, wheels and bases: runs share it, and what is in it is verified at use."""
    place = PROJECT / "data" / "home" / "cache"
    place.mkdir(parents=True, exist_ok=True)
    return place


def make_home(home: Path, corpora: Path | None = None) -> Path:
    """A fresh home folder that shares ``corpora`` (the project's cache, if none is named)."""
    home.mkdir(parents=True, exist_ok=True)
    shared = corpora or corpora_cache(home / "corpora")
    if shared != home / "corpora":
        (home / "corpora").symlink_to(shared)
    return home
