"""``lens keys``: make the key that signs candidates, show what is trusted, trust somebody else's."""

from pathlib import Path
from typing import Annotated

import typer

from lens_core.documents import json_text
from lens_core.errors import InvalidInput
from lens_core.keys_bootstrap import open_keys
from lens_core.supply.signatures import key_id, pem_of

keys_app = typer.Typer(no_args_is_help=True, help="The keys that sign release candidates, and those that are trusted.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
KeyFile = Annotated[Path | None, typer.Option("--key", help="The signing key: a PEM file that only you can read.")]
Agent = Annotated[str, typer.Option("--agent", help="The signing key: a fingerprint as `ssh-add -l` prints it.")]


@keys_app.command("new")
def keys_new(
    file: Annotated[Path | None, typer.Argument(help="Where to write it. Default: your own configuration.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Make a signing key with mode 0600, outside of every repository, and trust it on this machine."""
    place, made = open_keys().new(file)
    if as_json:
        typer.echo(json_text({"file": place, "key": made}))
        return
    typer.echo(f"signing key  {place}\nid           {made}  (trusted here)")
    typer.echo("others need its public half: lens keys show --pem > key.pem; then lens keys trust key.pem")


@keys_app.command("show")
def keys_show(
    *,
    key: KeyFile = None,
    agent: Agent = "",
    pem: Annotated[bool, typer.Option("--pem", help="Print only the signing key's public half.")] = False,
    as_json: Json = False,
) -> None:
    """Show which key would sign, by its id, and which keys are trusted. Private halves are never shown."""
    keys = open_keys()
    if pem:
        typer.echo(pem_of(keys.signer(key, agent).public_key).decode(), nl=False)
        return
    try:
        signing = key_id(keys.signer(key, agent).public_key)
    except InvalidInput:
        if key is not None or agent:
            raise
        signing = ""
    trusted = list(keys.trusted())
    if as_json:
        typer.echo(json_text({"signing": signing or None, "trusted": trusted}))
        return
    typer.echo(f"signs    {signing or 'nothing: make a key with `lens keys new`'}")
    for name in trusted or ["none: trust one with `lens keys trust FILE`"]:
        typer.echo(f"trusted  {name}")


@keys_app.command("trust")
def keys_trust(
    file: Annotated[Path, typer.Argument(help="An Ed25519 public key as PEM.")], *, as_json: Json = False
) -> None:
    """Trust a public key from now on: what its owner signed then verifies."""
    name = open_keys().trust(file)
    typer.echo(json_text({"trusted": name}) if as_json else f"trusted  {name}")
