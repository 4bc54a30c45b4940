"""``lens audit``: shows, verifies, anchors and exports the log of everything that was decided."""

from pathlib import Path
from typing import Annotated

import typer

from lens_core.audit import Entry
from lens_core.audit_bootstrap import open_audit, read_anchors, read_public_key, verify_file
from lens_core.audit_verification import AuditVerification
from lens_core.documents import json_text
from lens_core.errors import BrokenChain, InvalidInput, Unavailable

audit_app = typer.Typer(no_args_is_help=True, help="The audit log: show, verify, anchor and export it.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
_DIGEST_SHOWN = len("sha256:") + 12


@audit_app.command("log")
def audit_log(
    *,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest entries.")] = 20,
    subject: Annotated[str, typer.Option(help="Only entries whose subject begins so: a candidate's digest.")] = "",
    what: Annotated[str, typer.Option(help="Only entries whose name begins so, e.g. night. or statement.")] = "",
    as_json: Json = False,
) -> None:
    """Show who did what to which candidate, when and why; the newest entry stands last."""
    entries = open_audit().entries(last, subject, what)
    if as_json:
        typer.echo(json_text(entries))
        return
    for one in entries:
        typer.echo(_line(one))
    if not entries:
        typer.echo("no entries")


@audit_app.command("verify")
def audit_verify(
    file: Annotated[
        Path | None, typer.Argument(help="A ledger or an exported log. Default: the ledger of this home.")
    ] = None,
    *,
    anchors: Annotated[
        list[Path] | None, typer.Option("--anchors", help="A file or folder of kept heads, beside a FILE.")
    ] = None,
    key: Annotated[
        list[Path] | None, typer.Option("--key", help="Believe this public key (PEM) in place of the home's own.")
    ] = None,
    every_signature: Annotated[
        bool, typer.Option("--every-signature", help="Check all signatures, not only those that decide: slower.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Verify the whole log without the ledger's own code, and the ledger against it. Names the first bad entry."""
    keys = dict(read_public_key(one) for one in key) if key else None
    if file is None:
        if anchors:
            raise InvalidInput("expected a FILE beside --anchors", "the home's own log has the anchors of [audit]")
        found = open_audit().verify(keys, every_signature=every_signature)
    elif keys is None:
        raise InvalidInput("expected --key beside FILE, saw none", "get the log's public key from who keeps the log")
    else:
        kept = [one for place in anchors or () for one in read_anchors(place)]
        found = verify_file(file, keys, kept, every_signature=every_signature)
    if as_json:
        typer.echo(json_text({"stands": found.stands, "verification": found}))
    else:
        _show(found)
    if not found.stands:
        raise typer.Exit(BrokenChain.exit_code)


@audit_app.command("anchor")
def audit_anchor(*, as_json: Json = False) -> None:
    """Keep the newest head of the log in every configured place, now."""
    audit = open_audit()
    anchor, failed = audit.anchor()
    kept = [place for place in audit.places if place not in failed]
    if as_json:
        typer.echo(json_text({"number": anchor.number, "head": anchor.head, "kept": kept, "failed": failed}))
    else:
        typer.echo(f"entry {anchor.number}  {anchor.head}")
        for place in kept:
            typer.echo(f"kept  {place}")
    if failed:
        said = "; ".join(f"{place}: {why}" for place, why in failed.items())
        raise Unavailable(f"the head is not kept everywhere: {said}", "mend the place, then `lens audit anchor` again")


@audit_app.command("export")
def audit_export(
    file: Annotated[Path, typer.Argument(help="Where to write it: a file that is not there yet.")],
    *,
    as_json: Json = False,
) -> None:
    """Write all entries to a file, one a line, which `lens audit verify FILE` verifies anywhere."""
    audit = open_audit()
    count = audit.export(file)
    if as_json:
        typer.echo(json_text({"file": file, "entries": count}))
        return
    typer.echo(f"{count} entries in {file}")
    typer.echo(f"verify it anywhere: lens audit verify {file} --key AUDIT.PEM --anchors ANCHORS.JSONL")


def _line(one: Entry) -> str:
    subject = one.subject[:_DIGEST_SHOWN] if one.subject.startswith("sha256:") else one.subject
    facts = "  ".join(f"{name}={value}" for name, value in one.facts.items() if not value.startswith("sha256:"))
    return "  ".join(
        part
        for part in (
            f"{one.number:>6}  {one.at:%Y-%m-%d %H:%M:%S}  {one.what:20}",
            f"{one.who:12}",
            subject,
            one.why,
            facts,
        )
        if part
    )


def _show(found: AuditVerification) -> None:
    faults = [*found.faults, *found.mismatches.values()]
    for fault in faults:
        typer.echo(f"✕ {fault}", err=True)
    if found.first_bad is not None:
        span = f" (it may be as late as {found.not_after})" if found.not_after != found.first_bad else ""
        typer.echo(f"  the first bad entry is {found.first_bad}{span}", err=True)
    for warning in found.warnings:
        typer.echo(f"! {warning}", err=True)
    if faults:
        typer.echo("  keep the file as it is, and compare it with a backup and with the kept heads", err=True)
        return
    signed = ", ".join(found.signers) or "nobody"
    typer.echo(f"{found.entries} entries are as they were written; the ledger holds what they say")
    typer.echo(f"head      {found.head}")
    typer.echo(f"signed    {signed}")
    typer.echo(f"anchored  {f'entry {found.anchored}' if found.anchored else 'no'}")
