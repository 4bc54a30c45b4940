"""``lens backup`` and ``lens restore``."""

from pathlib import Path
from typing import Annotated

import typer

from lens_core import terminal
from lens_core.backup_bootstrap import open_backups, open_restore
from lens_core.documents import json_text

NOT_PASSED = 1
_PART = "files"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")]


class _Bytes(terminal.MovingLines):
    """One moving line: how far it is, and with which file."""

    def told(self, path: str, done: int, total: int) -> None:
        """See ``Progress`` of backups."""
        self.at(_PART, f"{_megabytes(done)} of {_megabytes(total)} MB  {path}")


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="Where to write it. Default: lens-backup-<time>.tar in this folder.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Back up the ledger as it stands, and all evidence: cuts, drills, nights, wheels, public keys, anchors."""
    backups = open_backups()
    target = (file or Path(backups.usual_name())).absolute()
    with terminal.doing(8) as progress:
        made = backups.make(target, _Bytes(progress).told)
    if as_json:
        typer.echo(json_text({"file": str(target), "backup": made.digest, "manifest": made}))
    else:
        typer.echo(f"{target}: {len(made.files):,} files, {_megabytes(made.size_bytes)} MB, read back and compared")
        typer.echo(f"audit log: {made.entries} entries, head {made.head}")
        for fault in made.faults:
            typer.echo(f"  ! {fault}")
    if made.faults:
        raise typer.Exit(NOT_PASSED)


def restore(
    file: Annotated[Path, typer.Argument(help="The file of a backup.")],
    *,
    into: Annotated[
        Path | None, typer.Option(help="The home folder to restore into. Default: the configured one.")
    ] = None,
    lose_newer: Annotated[
        bool, typer.Option("--lose-newer", help="Restore although later entries of the audit log are known.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Restore a backup into a home folder that holds none: every byte and the audit log are verified first."""
    with terminal.doing(8) as progress:
        restored = open_restore(into, lose_newer=lose_newer).run(file, _Bytes(progress).told)
    made = restored.manifest
    if as_json:
        document = {"home": str(restored.home), "lost": restored.lost, "warnings": restored.warnings, "manifest": made}
        typer.echo(json_text(document))
        return
    typer.echo(f"{restored.home}: {len(made.files):,} files of {made.made_at:%Y-%m-%d %H:%M} UTC, all verified")
    typer.echo(f"audit log: {made.entries} entries, head {made.head}")
    for line in (*restored.warnings, *made.faults):
        typer.echo(f"  ! {line}")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f}"
