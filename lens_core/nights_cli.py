"""``lens corpora``, ``nightly-validation``, ``nights`` and ``night``: what nights need, run, and left behind."""

from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.text import Text

from lens_core import terminal
from lens_core.bootstrap import open_lens
from lens_core.documents import json_text
from lens_core.errors import IntegrityError
from lens_core.model import Night, Slice
from lens_core.night import NightRequest
from lens_core.ports import FetchProgress
from lens_core.service import Lens

NOT_PASSED = 1

corpora_app = typer.Typer(no_args_is_help=True, help="The pinned repositories behind the slices.")
night_app = typer.Typer(no_args_is_help=True, help="One night: show it, verify it.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
RepoTypes = Annotated[str, typer.Option(help="Comma-separated: backend, frontend, monorepo. Default: all.")]
Languages = Annotated[str, typer.Option(help="Comma-separated: python, typescript, javascript, mixed. Default: all.")]
Sizes = Annotated[str, typer.Option(help="Comma-separated: small, medium, large. Default: all.")]
NightRef = Annotated[str, typer.Argument(metavar="DATE", help="A date (2026-11-24) or a night (2026-11-24.1).")]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _print_json(value: Any) -> None:
    typer.echo(json_text(value))


class _DownloadBar:
    """One line an archive, on standard error, while something is really being downloaded."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, seen: FetchProgress) -> None:
        if seen.filename not in self._tasks:
            self._tasks[seen.filename] = self._progress.add_task(seen.filename, total=seen.total_bytes)
        self._progress.update(self._tasks[seen.filename], completed=seen.done_bytes, total=seen.total_bytes)


def _download_progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=terminal.console(stderr=True), transient=True)


@corpora_app.command("list")
def corpora_list(*, as_json: Json = False) -> None:
    """Show the slice catalogue: which pinned repository stands for which slice, and its licence."""
    corpora = open_lens().select_corpora()
    if as_json:
        _print_json(corpora)
        return
    out = terminal.console()
    for corpus in corpora:
        out.print(f"{corpus.slice!s:28} {corpus.name} {corpus.version}  [{corpus.licence}]", markup=False)
        if corpus.note:
            out.print(f"{'':28} {corpus.note}", style="dim", markup=False)


@corpora_app.command("fetch")
def corpora_fetch(
    *,
    repo_types: RepoTypes = "",
    languages: Languages = "",
    sizes: Sizes = "",
    offline: Annotated[bool, typer.Option("--offline", help="Use the cache only; say what is missing.")] = False,
    as_json: Json = False,
) -> None:
    """Download the corpora in parallel, verify each against its pinned sha256, resume what was cut off."""
    lens = open_lens()
    corpora = lens.select_corpora(_words(repo_types), _words(languages), _words(sizes))
    with _download_progress() as progress:
        report = lens.fetch_corpora(corpora, _DownloadBar(progress), offline=offline)
    if as_json:
        errors = {name: {"message": e.message, "hint": e.hint} for name, e in report.errors.items()}
        _print_json({"slices": [str(c.slice) for c in corpora], "errors": errors})
    else:
        out = terminal.console()
        for corpus in corpora:
            error = report.errors.get(str(corpus.slice))
            said = "verified, in the cache" if error is None else f"! {error.message} ({error.hint})"
            out.print(f"{corpus.slice!s:28} {corpus.name} {corpus.version}  {said}", markup=False)
    if report.errors:
        raise typer.Exit(max(error.exit_code for error in report.errors.values()))


def nightly_validation(  # noqa: PLR0913  (a command's options)
    *,
    version: Annotated[str, typer.Option(help="The candidate to judge. Default: what the commit builds to.")] = "",
    baseline: Annotated[
        str, typer.Option(help="The version to compare with: an earlier candidate, measured beside.")
    ] = "",
    duration: Annotated[
        float, typer.Option(help="Minutes of load over all slices, shared evenly; decided sooner, a slice ends sooner.")
    ] = 120.0,
    repo_types: RepoTypes = "",
    languages: Languages = "",
    sizes: Sizes = "",
    seed: Annotated[int, typer.Option(help="Fixes the questions and their order.")] = 7,
    as_json: Json = False,
) -> None:
    """Run a night: index the real repositories, ask them real questions under load, judge every slice."""
    lens = open_lens()
    request = NightRequest(duration, seed, version, baseline, _words(repo_types), _words(languages), _words(sizes))
    with _download_progress() as progress:
        night = lens.nightly_validation(
            request, lambda line: progress.console.print(line, markup=False, soft_wrap=True), _DownloadBar(progress)
        )
    _show(lens, night, as_json=as_json)
    if night.verdict is None or not night.verdict.advances:
        raise typer.Exit(NOT_PASSED)


def nights(*, as_json: Json = False) -> None:
    """List all nights, newest first."""
    found = open_lens().nights()
    if as_json:
        _print_json(found)
    elif found:
        terminal.console().print(terminal.nights_table(found))
    else:
        typer.echo("no night yet: run `lens nightly-validation`")


@night_app.command("show")
def night_show(date: NightRef, *, as_json: Json = False) -> None:
    """Show a night: what it is bound to, slices × gates, the verdict with its reasons, and its files."""
    lens = open_lens()
    _show(lens, lens.night(date), as_json=as_json)


def _show(lens: Lens, night: Night, *, as_json: bool) -> None:
    answers, measured = lens.answers(night.night_id), lens.measurements(night.night_id)
    evidence = lens.evidence(night.night_id)
    if as_json:
        _print_json({"night": night, "answers": answers, "measurements": measured, "evidence": evidence})
        return
    out = terminal.console()
    out.print(terminal.night_lines(night))
    out.print()
    out.print(terminal.gate_table(answers, lens.catalogue_slices()))
    out.print()
    if measured:
        out.print(terminal.sureness(measured))
        out.print()
    out.print(terminal.reasons_table(answers))
    out.print()
    verdict, reason = lens.standing(night.night_id)
    said = terminal.verdict_text(verdict if night.verdict else None)
    out.print(Text.assemble(("verdict  ", "bold"), said, f"  {reason}"))
    files = {item.path for item in evidence}
    pages = ("report/nightly_report.html", *(f"{Slice.parse(s).slug}/slice_validation.ipynb" for s in night.slices))
    for page in pages:
        if (path := f"{night.folder}/{page}") in files:
            label = "report" if page.startswith("report/") else "notebook"
            out.print(f"{label:9}{lens.evidence_path(night.night_id, path)}", markup=False, soft_wrap=True)


@night_app.command("verify")
def night_verify(date: NightRef, *, as_json: Json = False) -> None:
    """Check every file of a night against its digest, and recompute its verdict from the raw samples."""
    found = open_lens().verify_night(date)
    if as_json:
        _print_json(found)
    elif not found.problems:
        typer.echo(
            f"night {found.night_id} stands: {found.files_checked} files match their digests, "
            f"{found.slices_recomputed} slices judged again from their samples give the same answers"
        )
    if found.problems:
        if not as_json:
            for problem in found.problems:
                typer.echo(f"✕ {problem}", err=True)
        raise typer.Exit(IntegrityError.exit_code)
