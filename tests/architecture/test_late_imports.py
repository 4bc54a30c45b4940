"""What is loaded late has one home each, and reading commands never load it."""

import re
import subprocess
import sys
from pathlib import Path

HOMES = {
    "scipy.stats": {"backtest", "confidence"},
    "statsmodels": {"levels"},
    "otava": {"changes"},
    "alembic": {"ledger_schema"},
    "lens_core.registry_bootstrap": {"verify_cli"},
    "lens_core.adapters.audit_anchors_https": {"audit_bootstrap"},
}


def test_each_late_library_has_its_home():
    """``late`` names the libraries of HOMES, each in the modules that own it, and nothing else."""
    found = {}
    for file in (Path(__file__).parents[2] / "lens_core").rglob("*.py"):
        for name in re.findall(r'late\("([\w.]+)"\)', file.read_text(encoding="utf-8")):
            library = next((home for home in HOMES if name.startswith(home)), name)
            found.setdefault(library, set()).add(file.stem)
    assert found == HOMES


def test_the_command_line_starts_without_what_it_may_never_need():
    """Importing the commands loads no statistics: most of them only read or serve."""
    said = subprocess.run(
        [sys.executable, "-c", "import sys; from lens_core.cli import make_app; make_app(); print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"scipy.stats", "statsmodels", "otava", "numba", "papermill", "streamlit", "alembic"} & set(said)


def test_verifying_loads_nothing_that_it_does_not_need():
    """``lens verify`` answers at once: no network client, no tables, no ledger, no engine."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            'import sys; from lens_core.cli import make_app; make_app("verify"); print(*sys.modules)',
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"httpx", "pandas", "sqlmodel", "docker", "jsonschema", "pydantic_settings", "fastapi"} & set(said)
