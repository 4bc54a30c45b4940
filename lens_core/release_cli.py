"""``lens cut-rc``, ``releases``, ``release`` and ``diff``: makes candidates, and shows what they hold."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.text import Text

from lens_core import terminal
from lens_core.cut import PARTS, CutRequest
from lens_core.cut_bootstrap import open_cutting, open_release_ledger
from lens_core.documents import json_text
from lens_core.errors import InvalidInput
from lens_core.model import Release
from lens_core.supply.release_diff import Change
from lens_core.verify_bootstrap import open_releases

NOT_PASSED = 1
_SHOWN = 40

release_app = typer.Typer(no_args_is_help=True, help="One candidate that was cut: show it.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version that was cut, e.g. 1.0.0-rc.1.")]


class _Steps(terminal.MovingLines):
    """One line for each step that is done, and a moving one for each that is being done."""

    def done(self, step: str, line: str, seconds: float) -> None:
        """See ``CutListener``."""
        self.over(step)
        self.stay(f"✓ {step:14}{seconds:6.1f} s  {line}")


def cut_rc(  # noqa: PLR0913  (a command's options)
    *,
    version: Annotated[str, typer.Option(help="The version to cut, e.g. 1.0.0-rc.1.")],
    ref: Annotated[str, typer.Option(help="The commit, tag or branch to cut. Default: HEAD, and a clean tree.")] = "",
    container: Annotated[bool, typer.Option(help="Build, run and push the engine's image.")] = True,
    sbom: Annotated[bool, typer.Option(help="List every package, and the owner of every file.")] = True,
    sast: Annotated[bool, typer.Option(help="Scan the source.")] = True,
    scan: Annotated[bool, typer.Option(help="Ask advisory sources about everything in the SBOM.")] = True,
    provenance: Annotated[bool, typer.Option(help="Sign where everything comes from.")] = True,
    base_lock: Annotated[
        Path | None,
        typer.Option(help="Put the image on the Debian packages of an earlier cut: its base.lock.json."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="The signing key's file. Default: LENS_SIGNING_KEY, else what `lens keys new` made."),
    ] = None,
    agent: Annotated[str, typer.Option(help="Sign by an ssh-agent, with the Ed25519 key of this fingerprint.")] = "",
    as_json: Json = False,
) -> None:
    """Cut a release candidate: build, image, SBOM, scans, provenance, one seal. Cut again, it confirms or goes on."""
    asked = dict(zip(PARTS, (container, sbom, sast, scan, provenance), strict=True))
    request = CutRequest(version, ref, frozenset(part for part, wanted in asked.items() if not wanted))
    with terminal.doing(14) as progress:
        release = open_cutting(base_lock=base_lock, signing_key=key, agent=agent).cut(request, _Steps(progress))
    _show(release, as_json=as_json)
    if not release.verdict.advances:
        raise typer.Exit(NOT_PASSED)


def releases(*, as_json: Json = False) -> None:
    """List the candidates that were cut, newest first."""
    found = open_release_ledger().releases()
    if as_json:
        typer.echo(json_text(found))
    elif not found:
        typer.echo("nothing was cut yet: run `lens cut-rc --version 1.0.0-rc.1`")
    else:
        rows = [
            {
                "version": release.version,
                "verdict": release.verdict.name.lower(),
                "commit": release.candidate.commit[:12],
                "image": release.image.short if release.image else "none",
                "cut (UTC)": f"{release.cut_at:%Y-%m-%d %H:%M}",
                "pushed": "yes" if release.pushed_to else "no",
                "cut by": release.cut_by,
            }
            for release in found
        ]
        terminal.console().print(terminal.frame_table(pd.DataFrame(rows), ("cut by",)))


@release_app.command("show")
def release_show(version: Version, *, as_json: Json = False) -> None:
    """Show a candidate: its digests, who cut it, every gate with its reason, and where its files lie."""
    found = next((release for release in open_release_ledger().releases() if release.version == version), None)
    if found is None:
        raise InvalidInput(f"there is no release {version}", "`lens releases` lists them, `lens cut-rc` makes one")
    _show(found, as_json=as_json)


def _show(release: Release, *, as_json: bool) -> None:
    cuts = open_releases()
    answers, manifest = cuts.answers(release.version), cuts.manifest(release.version)
    if as_json:
        typer.echo(json_text({"release": release, "answers": answers, "files": manifest.entries}))
        return
    out = terminal.console()
    lines = {
        "candidate": f"{release.version}, cut {release.cut_at:%Y-%m-%d %H:%M} UTC by {release.cut_by or 'nobody'}",
        "commit": release.candidate.commit,
        "wheel": str(release.candidate.digest),
        "image": str(release.image or "none: cut without a container"),
        "manifest": f"{release.manifest}, {len(manifest.entries)} files",
        "signed by": release.key_id,
        "pushed to": release.pushed_to or "nowhere",
        "files": str(cuts.place(release.version)),
    }
    for name, value in lines.items():
        out.print(Text.assemble((f"{name:11}", "bold"), value), soft_wrap=True)
    out.print()
    out.print(terminal.answers_table(answers))
    out.print()
    out.print(Text.assemble(("verdict  ", "bold"), terminal.verdict_text(release.verdict), f"  {release.reason}"))


def diff(before: Version, after: Version, *, as_json: Json = False) -> None:
    """Tell two candidates apart: packages, files, findings, sizes."""
    found = open_releases().diff(before, after)
    if as_json:
        typer.echo(json_text(found))
        return
    out = terminal.console()
    for title, changes in (("packages", found.packages), ("findings", found.findings), ("files", found.files)):
        out.print(Text.assemble((title, "bold"), f"  {_counted(changes)}"))
        for change in changes[:_SHOWN]:
            out.print(f"  {_sign(change)} {change.name}  {_arrow(change)}", markup=False, soft_wrap=True)
        if len(changes) > _SHOWN:
            out.print(f"  … and {len(changes) - _SHOWN} more: --json has all", style="dim")
    grown = found.size_after - found.size_before
    out.print(Text.assemble(("size", "bold"), f"  {found.size_after:,} bytes, {grown:+,}"))


def _counted(changes: tuple[Change, ...]) -> str:
    if not changes:
        return "the same"
    added, removed = sum(not c.before for c in changes), sum(not c.after for c in changes)
    return f"{added} added, {removed} removed, {len(changes) - added - removed} changed"


def _sign(change: Change) -> str:
    return "~" if change.before and change.after else "+" if change.after else "-"


def _arrow(change: Change) -> str:
    return f"{change.before} → {change.after}" if change.before and change.after else change.before or change.after
