"""The README's table of commands, made from the commands themselves. Run with --write to renew it."""

import sys
from pathlib import Path

import click
from typer.main import get_command

from lens_core.cli import make_app

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- commands: begin -->", "<!-- commands: end -->"


def rows(command: click.Command, path: str) -> list[str]:
    """A row for each command below ``command``, groups left out."""
    found = []
    for name, below in sorted(getattr(command, "commands", {}).items()):
        if getattr(below, "commands", None):
            found += rows(below, f"{path} {name}")
            continue
        words = []
        for parameter in below.params:
            if parameter.param_type_name == "argument":
                words.append(parameter.metavar or (parameter.name or "").upper())
            elif name := next((o for o in parameter.opts if o.startswith("--")), ""):
                words.append(f"[{name}]")
        usage = " ".join([path, below.name or "", *words])
        found.append(f"| `{usage}` | {(below.help or '').splitlines()[0]} |")
    return found


def table() -> str:
    """The whole table, with its markers."""
    return "\n".join(
        [BEGIN, "| command | what it does |", "| --- | --- |", *rows(get_command(make_app()), "lens"), END]
    )


def main() -> None:
    """Print the table, or write it into the README."""
    if "--write" not in sys.argv:
        print(table())  # noqa: T201
        return
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    README.write_text(before + table() + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
