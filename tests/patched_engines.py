"""Engines that are wrong in one way: today's code, or a previous version's, with a few lines of it exchanged."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tantivy
from places import PROJECT

_PACKAGES = Path(tantivy.__file__).parents[1]
_RUN = (
    "import runpy, sys; engine, packages, script = sys.argv[1:4]; sys.argv = sys.argv[3:]; "
    "sys.path += [engine, packages]; runpy.run_path(script, run_name='__main__')"
)

Patches = Mapping[str, Mapping[str, str]]
"""Module of the engine → what stands in it → what is to stand there instead."""


@dataclass(frozen=True, slots=True)
class PatchedHome:
    """Keeps the ``Home`` port: ``site`` holds a patched engine, ``packages`` all that it imports."""

    site: Path
    packages: Path
    version: str
    tantivy: str

    def command(self, script: Path) -> tuple[str, ...]:
        """See ``Home``."""
        return (sys.executable, "-I", "-S", "-c", _RUN, str(self.site), str(self.packages), str(script))


def todays(folder: Path, patches: Patches | None = None) -> PatchedHome:
    """The engine of this working tree, on the tantivy of the tests."""
    _copy(PROJECT, folder, patches or {})
    return PatchedHome(folder, _PACKAGES, "1.0.0", "0.27.0")


def previous(home, folder: Path, patches: Patches | None = None) -> PatchedHome:
    """A previous version's engine on its own tantivy; ``home`` is an ``EngineHome``."""
    _copy(home.site, folder, patches or {})
    return PatchedHome(folder, home.site, home.version, home.tantivy)


def _copy(source: Path, folder: Path, patches: Patches) -> None:
    engine = folder / "lens_core" / "engine"
    shutil.copytree(source / "lens_core" / "engine", engine, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "lens_core" / "__init__.py").touch()
    for module, lines in patches.items():
        text = (engine / f"{module}.py").read_text(encoding="utf-8")
        for before, after in lines.items():
            assert text.count(before) == 1, f"{module}: {before!r} occurs {text.count(before)} times"
            text = text.replace(before, after)
        (engine / f"{module}.py").write_text(text, encoding="utf-8")
