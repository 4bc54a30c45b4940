"""What people state on a candidate: ``lens approve``, ``reject``, ``revoke``, ``comment``, ``waive``, ``approvals``.

Each command shows what would be signed before it signs it, and says every reason when it would not count.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from lens_core import terminal
from lens_core.documents import json_text
from lens_core.errors import InvalidInput, SignoffRefused
from lens_core.signature_bootstrap import open_signing
from lens_core.signoff.statement import decode
from lens_core.signoff.words import Act, Approval, Dossier, Person, Recorded, Role, Statement
from lens_core.signoff_bootstrap import open_signoff
from lens_core.signoff_desk import Asked, SignoffDesk, Standing

Version = Annotated[str, typer.Argument(help="The candidate's version. Default: the newest.")]
RoleOption = Annotated[Role | None, typer.Option(help="The role in which you speak. Default: the only one you hold.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence: it is signed and stays on the record.")]
Key = Annotated[
    Path | None,
    typer.Option(help="Your SSH key's file, or its public half where an agent has it. Default: git's user.signingkey."),
]
Agent = Annotated[str, typer.Option(help="Sign by the ssh-agent, with the key of this fingerprint.")]
Me = Annotated[str, typer.Option("--person", help="Who you are in lens.toml. Default: whom git's user.email names.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


class Hand:
    """Somebody at the terminal who is about to state something."""

    def __init__(self, person: str, key: Path | None, agent: str) -> None:
        self._signing = open_signing()
        self._signer = self._signing.signer(key, agent)
        self.person: Person = self._signing.person(person)
        self.desk: SignoffDesk = open_signoff()

    def role(self, named: Role | None) -> Role:
        """The named role, else the only one; InvalidInput when it is not clear which."""
        roles = self.person.roles
        if named is None and len(roles) != 1:
            held = ", ".join(roles) or "no role"
            raise InvalidInput(f"expected a role, saw none: {self.person.name} holds {held}", "name it with --role")
        return named or roles[0]

    def state(self, standing: Standing, asked: Asked, *, yes: bool, as_json: bool) -> None:
        """Show it, ask, sign it, record it. What cannot count is not signed; SignoffRefused says every reason."""
        content = self.desk.draft_on(standing, asked)
        statement = decode(content)
        out = terminal.console(stderr=as_json)
        if not as_json or not yes:
            out.print(statement_table(statement))
        objections = standing.objections_to(statement)
        if objections:
            raise SignoffRefused(
                f"this {asked.act} would not count", "nothing was signed; `lens check-signoff` says more", objections
            )
        if not yes:
            typer.confirm("Sign this?", abort=True, err=True)
        recorded = self.desk.record(self._signer.sign(content))
        if as_json:
            typer.echo(json_text(recorded))
            return
        out.print(f"✓ recorded {recorded.digest}, signed with {recorded.key}", markup=False, soft_wrap=True)


def approve(  # noqa: PLR0913  (a command's options)
    version: Version = "",
    *,
    reason: Reason,
    role: RoleOption = None,
    hours: Annotated[float | None, typer.Option(help="For how long. Default: as lens.toml allows.")] = None,
    key: Key = None,
    agent: Agent = "",
    person: Me = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Approve a candidate in your role: you sign everything that is known of it, by digest."""
    hand = Hand(person, key, agent)
    asked = Asked(Act.APPROVE, hand.person.name, hand.role(role), reason, hours=hours)
    hand.state(hand.desk.standing(version), asked, yes=yes, as_json=as_json)


def reject(  # noqa: PLR0913
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
    """Reject a candidate: final for its digest, nobody can take it back."""
    hand = Hand(person, key, agent)
    asked = Asked(Act.REJECT, hand.person.name, hand.role(role), reason)
    hand.state(hand.desk.standing(version), asked, yes=yes, as_json=as_json)


def revoke(  # noqa: PLR0913
    version: Version = "",
    *,
    reason: Reason,
    statement: Annotated[str, typer.Option(help="Which of your statements. Default: your approval that holds.")] = "",
    key: Key = None,
    agent: Agent = "",
    person: Me = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take back what you approved, waived, or asked for."""
    hand = Hand(person, key, agent)
    standing = hand.desk.standing(version)
    refers = statement or _own_approval(standing.readiness.approvals, hand.person.name)
    asked = Asked(Act.REVOKE, hand.person.name, None, reason, refers)
    hand.state(standing, asked, yes=yes, as_json=as_json)


def comment(  # noqa: PLR0913
    version: Version = "",
    *,
    reason: Annotated[str, typer.Option(help="What you have to say: it is signed and stays on the record.")],
    key: Key = None,
    agent: Agent = "",
    person: Me = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Say something about a candidate, signed; it decides nothing."""
    hand = Hand(person, key, agent)
    asked = Asked(Act.COMMENT, hand.person.name, None, reason)
    hand.state(hand.desk.standing(version), asked, yes=yes, as_json=as_json)


def waive(  # noqa: PLR0913
    vulnerability: Annotated[str, typer.Argument(help="Its id, e.g. CVE-2026-1234.")],
    purl: Annotated[str, typer.Argument(help="The package with its version, e.g. pkg:pypi/thing@1.0.")],
    *,
    version: Annotated[str, typer.Option(help="The candidate's version. Default: the newest.")] = "",
    reason: Reason,
    state: Annotated[str, typer.Option(help="not_affected, exploitable (accepted) or false_positive.")],
    grounds: Annotated[
        str, typer.Option(help="A justification (not_affected) or responses (exploitable), as in CycloneDX VEX.")
    ] = "",
    days: Annotated[float, typer.Option(help="For how many days.")] = 30.0,
    role: RoleOption = None,
    key: Key = None,
    agent: Agent = "",
    person: Me = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let one vulnerability of one package version pass for this candidate, until a date. Approvals lapse by it."""
    hand = Hand(person, key, agent)
    waived = {"vulnerability": vulnerability, "purl": purl, "state": state, "grounds": grounds}
    asked = Asked(Act.WAIVE, hand.person.name, hand.role(role), reason, waived=waived, hours=days * 24)
    hand.state(hand.desk.standing(version), asked, yes=yes, as_json=as_json)


def approvals(version: Version = "", *, as_json: Json = False) -> None:
    """List who approved what and whether it still holds, and everything else that was stated on a candidate."""
    standing = open_signoff().standing(version)
    found, stated = standing.readiness.approvals, standing.case.statements
    if as_json:
        typer.echo(json_text({"version": standing.readiness.version, "approvals": found, "statements": stated}))
        return
    out = terminal.console()
    out.print(approvals_table(found) if found else "nobody approved it yet", markup=False)
    others = [one for one in stated if one.statement.act is not Act.APPROVE]
    if others:
        out.print()
        out.print(statements_table(others))


def statement_table(statement: Statement) -> Table:
    """What would be signed, as somebody reads it who is asked to answer for it."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    said = {
        statement.act.value: statement.dossier.version,
        "by": f"{statement.person}{f' as {statement.role}' if statement.role else ''}",
        "because": statement.reason,
        "until": f"{statement.expires:%Y-%m-%d %H:%M} UTC" if statement.expires else "",
        "about": statement.refers,
        **statement.waived,
        "dossier": str(statement.dossier.digest),
        **_dossier_lines(statement.dossier),
    }
    for name, value in said.items():
        if value:
            table.add_row(name, Text(value))
    return table


def _dossier_lines(dossier: Dossier) -> dict[str, str]:
    document = dossier.document()
    named = {name.replace("_", "-"): value for name, value in document.items() if name != "version"}
    return {name: "\n".join(value) if isinstance(value, list) else value for name, value in named.items()}


def approvals_table(found: tuple[Approval, ...]) -> Table:
    """One line an approval."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("role", "person", "holds", "until (UTC)", "why", "statement"):
        table.add_column(heading, no_wrap=heading != "why", overflow="fold")
    for one in found:
        sign = Text("✓ holds", style="green") if one.holds else Text("✗ lapsed", style="bold red")
        why = one.reason if one.holds else one.why
        table.add_row(one.role, Text(one.person), sign, f"{one.expires:%Y-%m-%d %H:%M}", Text(why), one.digest[:19])
    return table


def statements_table(found: list[Recorded]) -> Table:
    """One line a statement."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("recorded (UTC)", "act", "person", "what", "statement"):
        table.add_column(heading, no_wrap=heading != "what", overflow="fold")
    for one in found:
        said = one.statement
        what = f"not believed: {one.fault}" if one.fault else said.reason
        moment = f"{one.recorded_at:%Y-%m-%d %H:%M}"
        table.add_row(moment, said.act, Text(said.person), Text(what), one.digest.removeprefix("sha256:")[:12])
    return table


def _own_approval(found: tuple[Approval, ...], person: str) -> str:
    own = [one.digest for one in found if one.person == person and one.holds]
    if len(own) != 1:
        raise InvalidInput(
            f"expected one approval of {person} that holds, saw {len(own)}",
            "name the statement with --statement; `lens approvals` lists them",
        )
    return own[0]
