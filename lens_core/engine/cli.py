"""The commands ``index``, ``search``, ``serve`` and ``migrate``, as Typer functions that any command line can mount.

They raise ``EngineError``; ``main`` turns it into a message on standard
error and an exit code. A command line that mounts the functions does the same in its own way.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from lens_core.engine.errors import EngineError
from lens_core.engine.index import build_index
from lens_core.engine.migrate import Migration, migrate_index
from lens_core.engine.search import Answer, Filters, open_index
from lens_core.engine.server import serve_index

DEFAULT_INDEX: Final = ".lens-index"
_PROGRESS_EVERY: Final = 25

app = typer.Typer(
    help="Lens code search: index a directory, search it, serve it over HTTP.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

IndexOption = Annotated[Path, typer.Option("--index", help="The index directory")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text")]


@app.command()
def index(
    directory: Annotated[Path, typer.Argument(help="The source tree to index")],
    out: Annotated[Path | None, typer.Option("--out", help=f"Default: DIRECTORY/{DEFAULT_INDEX}")] = None,
    as_json: JsonOption = False,  # noqa: FBT002  # a flag of the command line
) -> None:
    """Index a directory of source files. An index that is there already is replaced at once or not at all."""
    target = out if out is not None else directory / DEFAULT_INDEX
    described = build_index(directory, target, _progress)
    _end_progress()
    if as_json:
        summary = asdict(described)
        del summary["files"], summary["schema"]
        typer.echo(json.dumps({"index": str(target), **summary}, sort_keys=True))
        return
    typer.echo(f"{described.document_count} chunks of {described.file_count} files in {target}")
    for reason, count in described.skipped.items():
        typer.echo(f"  skipped {count}: {reason.replace('_', ' ')}")


@app.command()
def search(  # noqa: PLR0913, PLR0917  # one parameter for each option
    query: Annotated[str, typer.Argument(help="A name, a fragment, some words, or '\"an exact substring\"'")],
    index: IndexOption = Path(DEFAULT_INDEX),
    limit: Annotated[int, typer.Option(help="How many hits, 1 to 100")] = 10,
    offset: Annotated[int, typer.Option(help="How many hits to pass over, 0 to 10000")] = 0,
    language: Annotated[str | None, typer.Option(help="python, typescript, javascript or svelte")] = None,
    symbols: Annotated[bool, typer.Option("--symbols", help="Definitions only")] = False,  # noqa: FBT002
    glob: Annotated[str | None, typer.Option(help="Files to look in, such as 'src/**/*.ts'")] = None,
    as_json: JsonOption = False,  # noqa: FBT002  # a flag of the command line
) -> None:
    """Search an index."""
    filters = Filters(language, symbols, glob)
    answer = open_index(index).search(query, limit=limit, offset=offset, filters=filters)
    typer.echo(orjson.dumps(answer).decode() if as_json else _as_text(answer))


@app.command()
def serve(
    index: IndexOption = Path(DEFAULT_INDEX),
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one", min=0, max=65535)] = 0,
    until_stdin_closes: Annotated[  # noqa: FBT002
        bool, typer.Option("--until-stdin-closes", help="End when standard input ends, as with the parent process")
    ] = False,
) -> None:
    """Serve an index over HTTP; one JSON line on standard output says when and where it listens."""
    serve_index(index, host, port, until_stdin_closes=until_stdin_closes)


@app.command()
def migrate(
    old: Annotated[Path, typer.Argument(help="An index that an earlier version wrote; it is only read")],
    out: Annotated[Path, typer.Option("--out", help="Where the new index goes; nothing may be there yet")],
    as_json: JsonOption = False,  # noqa: FBT002  # a flag of the command line
) -> None:
    """Write an old index anew for this engine, from what it stores. Broken off, it starts over when called again."""
    migration = migrate_index(old, out, _migration_progress)
    _end_progress()
    if as_json:
        typer.echo(json.dumps({"index": str(out), "from": str(old), **_migration_summary(migration)}, sort_keys=True))
        return
    done = "was migrated before" if migration.already else "migrated"
    again = ", after an earlier attempt had been broken off" if migration.restarted else ""
    described = migration.manifest
    typer.echo(f"{described.document_count} chunks of {described.file_count} files in {out}: {done}{again}")
    typer.echo(f"  from engine {migration.from_version} on tantivy {migration.from_tantivy}, which stays in {old}")
    typer.echo(f"  every stored field is equal: {migration.contents}")


def main(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns its exit code; see ``errors`` for what the codes mean."""
    try:
        app(args=arguments, prog_name="python -m lens_core.engine")
    except EngineError as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"hint: {error.hint}", err=True)
        return error.exit_code
    except SystemExit as ending:  # how Typer ends: 0, 2 for a wrong command line, 130 when interrupted
        return ending.code if isinstance(ending.code, int) else 1
    return 0


def _progress(count: int, path: str) -> None:
    """One line on standard error that is written over, on a terminal only."""
    if sys.stderr.isatty() and count % _PROGRESS_EVERY == 1:
        typer.echo(f"\r\033[Kindexing {count}: {path[-60:]}", nl=False, err=True)


def _migration_progress(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty() and (what != "written" or done % _PROGRESS_EVERY == 1):
        typer.echo(f"\r\033[K{what} {done} of {total}", nl=False, err=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        typer.echo("\r\033[K", nl=False, err=True)


def _migration_summary(migration: Migration) -> dict[str, Any]:
    summary = asdict(migration)
    described = summary.pop("manifest")
    del described["files"], described["schema"]
    return {**described, **summary}


def _as_text(answer: Answer) -> str:
    lines = [f"{hit.path}:{hit.start_line}-{hit.end_line}  {hit.kind}  {hit.symbol}".rstrip() for hit in answer.hits]
    return "\n".join([*lines, f"{len(answer.hits)} of {answer.total}"])
