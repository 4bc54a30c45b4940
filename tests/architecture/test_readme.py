"""The README says what the program does today."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from commands_table import table  # noqa: E402


def tracked() -> list[Path]:
    """Every file that git knows."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_table_of_commands_is_what_help_says():
    """Every command with its options and its help's first line stands in the README, and no other."""
    assert table() in (ROOT / "README.md").read_text(encoding="utf-8"), (
        "run tests/architecture/commands_table.py --write"
    )


def test_links_of_the_documents_lead_somewhere():
    """Relative links in the README and the docs name files that are there."""
    for page in (p for p in tracked() if p.suffix == ".md"):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_decision_is_listed():
    """Each ADR stands in the index of ADRs."""
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    for record in (ROOT / "docs" / "adr").glob("[0-9]*.md"):
        assert record.name in index, record.name
