"""Where things lie: the configuration and the home folder, before anything is read."""

import os
from pathlib import Path


def config_file(named: Path | None = None) -> Path:
    """``lens.toml``: the one that is named, else that of ``LENS_CONFIG``, else the one of the working folder."""
    return (named or Path(os.environ.get("LENS_CONFIG") or "lens.toml")).absolute()


def home_folder(named: Path | None = None, config: Path | None = None) -> Path:
    """The home folder: the named one, else that of ``LENS_HOME``, else ``data/home`` beside the configuration."""
    return (named or Path(os.environ.get("LENS_HOME") or config_file(config).parent / "data" / "home")).absolute()
