"""``lens backup`` and ``lens restore``, as people and scripts give them."""

import json

import pytest
import typer
from cutting import CuttingHouse
from places import PROJECT
from typer.testing import CliRunner

from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.backup_cli import backup, restore
from lens_core.errors import Conflict


@pytest.fixture
def lens(tmp_path, monkeypatch):
    """The two commands, on a home that holds a cut; ``lens(...)`` gives exit code and output."""
    monkeypatch.setenv("LENS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LENS_CONFIG", str(PROJECT / "lens.toml"))
    monkeypatch.chdir(tmp_path)
    CuttingHouse(tmp_path / "home").cut()
    app = typer.Typer()
    app.command("backup")(backup)
    app.command("restore")(restore)

    def run(*arguments):
        told = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if told.exception is not None and not isinstance(told.exception, SystemExit):
            raise told.exception
        return told.exit_code, told.stdout

    return run


def test_a_backup_is_made_and_restored(lens, tmp_path):
    """Both say what they did: files, bytes, the log's entries and head; the cut is there again."""
    code, said = lens("backup", "b.tar")
    assert code == 0
    assert "read back and compared" in said
    assert "audit log: 3 entries, head sha256:" in said
    code, said = lens("restore", "b.tar", "--into", tmp_path / "new")
    assert code == 0
    assert f"{tmp_path / 'new'}: " in said
    assert "all verified" in said
    assert len(SqlLedger(tmp_path / "new" / "lens.db").releases()) == 1


def test_machines_read_json(lens, tmp_path):
    """``--json`` names the file, the backup by its digest, every file with its SHA-256, and what was lost."""
    code, said = lens("backup", "--json")
    made = json.loads(said)
    assert code == 0
    assert made["file"].startswith(str(tmp_path / "lens-backup-2"))
    assert {"path", "sha256", "size_bytes", "executable"} == made["manifest"]["files"][0].keys()
    code, said = lens("restore", made["file"], "--into", tmp_path / "new", "--json")
    restored = json.loads(said)
    assert (code, restored["lost"], restored["home"]) == (0, 0, str(tmp_path / "new"))
    assert restored["manifest"] == made["manifest"]


def test_the_home_that_is_there_is_never_restored_over(lens):
    """Without ``--into`` the configured home is meant, and that one holds something."""
    lens("backup", "b.tar")
    with pytest.raises(Conflict, match="expected a home folder without"):
        lens("restore", "b.tar")
