"""``lens check-signoff``: whether a candidate can be promoted, if not why, and who can give what is missing."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from lens_core import signoff_views as views
from lens_core import terminal
from lens_core.documents import json_text
from lens_core.qualification_bootstrap import open_check
from lens_core.signoff.words import Readiness

NOT_READY = 1


def check_signoff(
    version: Annotated[str, typer.Argument(help="The candidate's version. Default: what was cut last.")] = "",
    *,
    rescan: Annotated[
        bool, typer.Option("--rescan", help="Ask the advisory sources now, and put it on the record.")
    ] = False,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Judge every night again from its raw samples.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False,
) -> None:
    """Say whether a candidate may be promoted, with every reason why not and who can mend it; exit 0 when it may."""
    with terminal.doing(9) as progress:
        lines = terminal.MovingLines(progress)
        qualification = open_check(recompute=recompute)
        if rescan:
            lines.at("scan", "asking the advisory sources")
            qualification.rescan(version)
            lines.over("scan")
        lines.at("verify", "holding cut, drill, nights, statements and log against each other")
        readiness = qualification.readiness(version)
    if as_json:
        typer.echo(json_text({"dossier_digest": _dossier(readiness), **_document(readiness)}))
    else:
        show(readiness)
    if not readiness.ready:
        raise typer.Exit(NOT_READY)


def show(readiness: Readiness) -> None:
    """Everything about it, the answer first."""
    out = terminal.console()
    sign, style = ("✓", "bold green") if readiness.ready else ("✕", "bold red")
    out.print(Text(f"{sign} {views.headline(readiness)}", style=style), soft_wrap=True)
    lines = [
        ("candidate", f"{readiness.version}  {readiness.candidate or 'was not cut'}  ({readiness.state})"),
        *views.streak_lines(readiness.streak),
        ("risk", f"{readiness.risk.level.name.lower()}: {readiness.risk.reason}"),
        *views.timeline_lines(readiness.timeline),
        ("plan", views.plan_line(readiness.plan)),
        ("dossier", _dossier(readiness) or "none: there is nothing to sign"),
    ]
    _named(out, lines)
    for warning in readiness.warnings:
        out.print(Text(f"! {warning}", style="yellow"), soft_wrap=True)
    if readiness.blockers:
        out.print()
        out.print(terminal.frame_table(views.blockers_frame(readiness.blockers), ("why", "who can give it", "how")))
    out.print()
    out.print(terminal.frame_table(views.approvals_frame(readiness), ("stands", "why")))
    out.print()
    out.print(terminal.frame_table(views.factors_frame(readiness.risk), ("why", "what helps")))


def _named(out: Console, lines: Sequence[tuple[str, str]]) -> None:
    for name, value in lines:
        out.print(Text.assemble((f"{name:12}", "bold"), value), soft_wrap=True)


def _dossier(readiness: Readiness) -> str:
    return str(readiness.dossier.digest) if readiness.dossier else ""


def _document(readiness: Readiness) -> dict[str, object]:
    return {name: getattr(readiness, name) for name in readiness.__dataclass_fields__}
