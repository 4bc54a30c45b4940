"""Joins the registry that candidates are pushed to."""

import os
from pathlib import Path

from lens_core.adapters.cut_registry import CutRegistry
from lens_core.adapters.registry_http import Credentials
from lens_core.config import Settings, load_settings
from lens_core.errors import InvalidInput


def open_registry(home: Path | None = None) -> CutRegistry:
    """The registry of ``lens.toml``; InvalidInput when it names none."""
    settings = load_settings(home)
    if not settings.cut.registry:
        raise InvalidInput(f"{settings.config.name} names no registry", "name one: registry of [cut]")
    return registry_of(settings)


def registry_of(settings: Settings) -> CutRegistry:
    """The registry that the settings name, with the credentials of the environment."""
    user, password = (os.environ.get(f"LENS_REGISTRY_{name}", "") for name in ("USER", "PASSWORD"))
    credentials = Credentials(user, password) if user else None
    cut = settings.cut
    return CutRegistry(cut.registry, cut.repository, cut.registry_timeout_s, credentials)
