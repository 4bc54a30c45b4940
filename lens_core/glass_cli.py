"""``lens break-glass``: less evidence for an hour; one asks for it, another grants it, a third looks at it."""

from typing import Annotated

import typer
from rich.text import Text

from lens_core import terminal
from lens_core.documents import json_text
from lens_core.errors import InvalidInput
from lens_core.signoff.words import Act, Glass, Readiness
from lens_core.signoff_bootstrap import open_signoff
from lens_core.signoff_cli import Agent, Hand, Json, Key, Me, Reason, RoleOption, Version, Yes
from lens_core.signoff_desk import Asked

glass_app = typer.Typer(
    no_args_is_help=True,
    help="Break-glass: less evidence for at most an hour, never less identity, scans or audit. Everybody is told.",
)

Refers = Annotated[str, typer.Option("--statement", help="The statement that you answer. Default: the newest request.")]


@glass_app.command("ask")
def glass_ask(  # noqa: PLR0913  (a command's options)
    version: Version = "",
    *,
    reason: Reason,
    role: RoleOption = None,
    key: Key = None,
    agent: Agent = "",
    person: Me = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ask for less evidence on a candidate; nothing changes until a second person countersigns."""
    hand = Hand(person, key, agent)
    asked = Asked(Act.BREAK_GLASS, hand.person.name, hand.role(role), reason)
    hand.state(hand.desk.standing(version), asked, yes=yes, as_json=as_json)


@glass_app.command("countersign")
def glass_countersign(  # noqa: PLR0913
    version: Version = "",
    *,
    reason: Reason,
    refers: Refers = "",
    role: RoleOption = None,
    key: Key = None,
    agent: Agent = "",
    person: Me = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Grant what another person asked for, until it runs out; a third person must look at it afterwards."""
    hand = Hand(person, key, agent)
    standing = hand.desk.standing(version)
    wanted = refers or _request(standing.readiness)
    asked = Asked(Act.COUNTERSIGN, hand.person.name, hand.role(role), reason, wanted)
    hand.state(standing, asked, yes=yes, as_json=as_json)


@glass_app.command("review")
def glass_review(  # noqa: PLR0913
    version: Version = "",
    *,
    reason: Reason,
    refers: Refers = "",
    role: RoleOption = None,
    key: Key = None,
    agent: Agent = "",
    person: Me = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Say what came of it, as somebody who neither asked for it nor granted it: that closes the review."""
    hand = Hand(person, key, agent)
    standing = hand.desk.standing(version)
    wanted = refers or _request(standing.readiness)
    asked = Asked(Act.REVIEW, hand.person.name, hand.role(role), reason, wanted)
    hand.state(standing, asked, yes=yes, as_json=as_json)


@glass_app.command("show")
def glass_show(version: Version = "", *, as_json: Json = False) -> None:
    """Show where break-glass stands on a candidate, and every review that is open."""
    desk = open_signoff()
    readiness, reviews = desk.readiness(version), desk.reviews()
    if as_json:
        typer.echo(json_text({"version": readiness.version, "glass": readiness.glass, "reviews": reviews}))
        return
    out = terminal.console()
    out.print(_glass_text(readiness.version, readiness.glass))
    if reviews:
        out.print()
        out.print("open reviews:", style="bold")
    for review in reviews:
        out.print(f"  {review.words(readiness.at)}", markup=False, soft_wrap=True)


def _request(readiness: Readiness) -> str:
    if readiness.glass is None:
        raise InvalidInput(
            f"nobody asked for break-glass on {readiness.version}", "`lens break-glass ask` does, with a reason"
        )
    return readiness.glass.refers


def _glass_text(version: str, glass: Glass | None) -> Text:
    if glass is None:
        return Text(f"nobody asked for break-glass on {version}")
    state = Text("ACTIVE", style="bold red") if glass.active else Text("not active", style="yellow")
    return Text.assemble(
        ("break-glass  ", "bold"),
        state,
        f"  {version}, {glass.since:%Y-%m-%d %H:%M} to {glass.until:%H:%M} UTC\n"
        f"asked for by {glass.requested_by}, countersigned by {glass.countersigned_by or 'nobody'}: {glass.reason}\n"
        f"review       {glass.review or 'none yet'}",
    )
