"""The ``lens`` command. A face: it asks ``Lens``, prints what it says, and turns errors into exit codes."""

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version as distribution_version
from typing import Annotated

import typer

from lens_core.engine.errors import EngineError
from lens_core.errors import LensError, Refused

HELP = (
    "Qualify a release candidate of a search service on evidence that a stranger can recompute.\n\n"
    "Exit codes: 0 done (a night or a cut: every answer passes), 1 it was judged and does not pass, "
    "2 the request must change, 3 refused by policy, 4 the world failed (try again), "
    "5 evidence does not match its digest."
)
COMMANDS = {
    "cut-rc": "release_cli:cut_rc",
    "verify": "verify_cli:verify",
    "releases": "release_cli:releases",
    "release": "release_cli:release_app",
    "diff": "release_cli:diff",
    "compat-drill": "drill_cli:compat_drill",
    "drill": "drill_cli:drill_app",
    "check-signoff": "check_cli:check_signoff",
    "approve": "signoff_cli:approve",
    "reject": "signoff_cli:reject",
    "revoke": "signoff_cli:revoke",
    "comment": "signoff_cli:comment",
    "waive": "signoff_cli:waive",
    "approvals": "signoff_cli:approvals",
    "break-glass": "glass_cli:glass_app",
    "audit": "audit_cli:audit_app",
    "backup": "backup_cli:backup",
    "restore": "backup_cli:restore",
    "keys": "keys_cli:keys_app",
    "corpora": "nights_cli:corpora_app",
    "nightly-validation": "nights_cli:nightly_validation",
    "nights": "nights_cli:nights",
    "night": "nights_cli:night_app",
    "monitor": "monitor_cli:monitor",
    "alerts": "monitor_cli:alerts_app",
    "trends": "trends_cli:trends",
    "forecast": "trends_cli:forecast",
    "index": "engine.cli:index",
    "search": "engine.cli:search",
    "serve": "engine.cli:serve",
    "migrate": "engine.cli:migrate",
}
"""Where each command stands: module and name. Only what is asked for is loaded, so that verifying stays quick."""


def _print_version(asked: bool) -> None:  # noqa: FBT001  (typer's callback signature)
    if asked:
        typer.echo(f"lens {distribution_version('lens')}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print Lens's own version.")
    ] = False,
) -> None:
    pass


def make_app(only: str = "") -> typer.Typer:
    """The whole command line; just the command ``only`` when it is one."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=HELP)
    app.callback()(_root)
    for name in [only] if only in COMMANDS else COMMANDS:
        module, _, attribute = COMMANDS[name].partition(":")
        found = getattr(import_module(f"lens_core.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _end(number: int, _frame: object) -> None:
    """A scheduler's SIGTERM ends a command as Ctrl-C does: what is open gets closed on the way out."""
    sys.exit(128 + number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; every error that Lens knows ends in one message and its own exit code."""
    signal.signal(signal.SIGTERM, _end)
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        make_app(given[0] if given else "")(args=given)
    except (LensError, EngineError) as error:
        typer.echo(f"lens: {error.message}", err=True)
        for blocker in error.blockers if isinstance(error, Refused) else ():
            typer.echo(f"  - {blocker}", err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
