"""``lens compat-drill`` and ``lens drill show``: drills a candidate against previous versions, and shows drills."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from lens_core import terminal
from lens_core.documents import json_text
from lens_core.drill_bootstrap import configured_drilling
from lens_core.drill_views import CELL_WORDS, way_back_frame
from lens_core.drills.record import DrillRecord
from lens_core.model import Verdict
from lens_core.verify_bootstrap import open_drills

NOT_PASSED = 1

drill_app = typer.Typer(no_args_is_help=True, help="Compatibility drills: show one.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


class _Versions(terminal.MovingLines):
    """A moving line for each version that is being drilled, one that stays for each cell."""

    def done(self, version: str, cell: str, line: str, seconds: float) -> None:
        """See ``DrillListener``."""
        sign = "✓" if line in {"done", "the old index is there"} else "!"
        self.stay(f"{sign} {version:10}{CELL_WORDS.get(cell, cell):16}{seconds:6.1f} s  {line}")


def compat_drill(
    *,
    version: Annotated[str, typer.Option(help="The release to drill. Default: what HEAD builds.")] = "",
    previous_versions: Annotated[
        str, typer.Option(help="Previous versions, e.g. v0.9.0,v0.9.2. Default: all that are registered.")
    ] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing: use what is here.")] = False,
    key: Annotated[
        Path | None,
        typer.Option(help="The signing key's file. Default: LENS_SIGNING_KEY, else what `lens keys new` made."),
    ] = None,
    agent: Annotated[str, typer.Option(help="Sign by an ssh-agent, with the Ed25519 key of this fingerprint.")] = "",
    as_json: Json = False,
) -> None:
    """Drill a candidate with what previous versions wrote: read, write, migrate, go back; sealed as evidence."""
    with terminal.doing(10) as progress:
        drilling = configured_drilling(offline=offline, signing_key=key, agent=agent)
        drill = drilling.drill(version.removeprefix("v"), previous_versions, _Versions(progress))
    _show(drill.record, drill.folder, as_json=as_json)
    if not drill.record.verdict.advances:
        raise typer.Exit(NOT_PASSED)


@drill_app.command("show")
def drill_show(
    version: Annotated[str, typer.Argument(help="A candidate's version. Default: what was drilled last.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Show a version's latest drill: the matrix, the way back to each version, and what does not pass."""
    drills = open_drills()
    place = drills.place(version)
    _show(drills.read(place.parent.name), place, as_json=as_json)


def _show(record: DrillRecord, folder: Path, *, as_json: bool) -> None:
    if as_json:
        said = {"verdict": record.verdict, "rollback_safe": record.rollback_safe, "copy_first": record.copy_first}
        outcomes = {version.version: record.outcome(version.version) for version in record.previous}
        typer.echo(json_text({**said, "outcomes": outcomes, "folder": str(folder), "drill": record}))
        return
    out, candidate = terminal.console(), record.candidate
    dirty = "  (dirty: the working tree held changes that are not in it)" if record.dirty else ""
    moment = f"{record.drilled_at:%Y-%m-%d %H:%M} UTC"
    lines = {
        "candidate": f"{candidate.version} on tantivy {candidate.tantivy}, drilled {moment}",
        "commit": f"{record.commit}{dirty}",
        "wheel": f"sha256:{candidate.wheel_sha256}",
        "evidence": str(folder),
    }
    for name, value in lines.items():
        out.print(Text.assemble((f"{name:11}", "bold"), value), soft_wrap=True)
    out.print()
    out.print(_matrix(record))
    out.print()
    out.print(terminal.frame_table(way_back_frame(record), ("comes to", "why")))
    if any(answer.verdict is not Verdict.PASS for answer in record.answers):
        out.print()
        out.print(_reasons(record))
    out.print()
    safe = f"  rollback-safe: {record.rollback_safe.value}"
    path = ", copy first: proven" if record.copy_first else ", copy first: not proven"
    out.print(Text.assemble(("verdict  ", "bold"), terminal.verdict_text(record.verdict), safe, path))


def _matrix(record: DrillRecord) -> Table:
    """Cells × versions."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("cell", no_wrap=True)
    for version in record.previous:
        table.add_column(f"{version.version} ({version.tantivy})", no_wrap=True)
    said = {(answer.cell, answer.version): answer for answer in record.answers}
    for cell in record.rules.cells:
        row = [said.get((cell, version.version)) for version in record.previous]
        signs = [terminal.verdict_text(one.verdict) if one else Text("·", style="dim") for one in row]
        table.add_row(CELL_WORDS.get(cell, cell), *signs)
    return table


def _reasons(record: DrillRecord) -> Table:
    """What does not pass, worst first."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("verdict", "version", "cell", "why"):
        table.add_column(heading, no_wrap=heading != "why", overflow="fold")
    held = [answer for answer in record.answers if answer.verdict is not Verdict.PASS]
    for one in sorted(held, key=lambda answer: -answer.verdict.value):
        table.add_row(terminal.verdict_text(one.verdict), one.version, CELL_WORDS.get(one.cell, one.cell), one.reason)
    return table
