"""``lens verify``: proves a cut, offline. Loads no more than that needs, so that it answers at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from lens_core.documents import json_text
from lens_core.drills.reader import DrillVerification
from lens_core.errors import IntegrityError
from lens_core.late import late
from lens_core.model import Release
from lens_core.releases import ReleaseVerification
from lens_core.verify_bootstrap import open_drills, open_releases, read_key

Target = Annotated[str, typer.Argument(metavar="VERSION|DIR", help="A version that was cut here, or a cut's folder.")]


_HINT = "  do not use it; if only its key is unknown here, compare the key with its owner, then `lens keys trust FILE`"


def verify(
    target: Target,
    *,
    key: Annotated[
        Path | None, typer.Option(help="Believe this public key (PEM) alone, in place of the trusted ones.")
    ] = None,
    registry: Annotated[
        bool, typer.Option("--registry", help="Hash every blob in the registry again too, over HTTP.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Recompute a cut offline: every byte, every signature, every gate's answer. Names what is at fault."""
    releases = open_releases()
    given = read_key(key) if key else None
    found = releases.verify(target, given)
    faults = [str(fault) for fault in found.faults]
    own = found.stands and not Path(target).is_dir()  # drills lie beside the releases of this home folder only
    drills = _drills(found.release, given) if found.release is not None and own else ()
    faults += [f"drill {Path(one.folder).name}: {fault}" for one in drills for fault in one.faults]
    if registry and found.release is not None and found.stands:
        opened = late("lens_core.registry_bootstrap").open_registry()
        faults += [str(fault) for fault in opened.verify(Path(found.folder), found.release.version)]
    if as_json:
        stands = found.stands and not faults
        typer.echo(json_text({"stands": stands, "faults": faults, "verification": found, "drills": drills}))
    elif not faults:
        for line in (*_lines(found, registry=registry), *map(_drill_line, drills)):
            typer.echo(line)
    if faults:
        if not as_json:
            for fault in faults:
                typer.echo(f"✕ {fault}", err=True)
            typer.echo(_HINT, err=True)
        raise typer.Exit(IntegrityError.exit_code)


def _drills(release: Release, keys: Mapping[str, bytes] | None) -> tuple[DrillVerification, ...]:
    """Every drill of the release that lies in the home folder, oldest first."""
    return open_drills().verify_version(release.version, release.candidate.digest.hex, keys)


def _drill_line(found: DrillVerification) -> str:
    record = found.record
    if record is None:  # then there is a fault
        return ""
    versions = ", ".join(one.version for one in record.previous)
    return (
        f"drill    {record.verdict.name}  {found.answers} answers about {versions} judged again from what was "
        f"observed, {record.drilled_at:%Y-%m-%d %H:%M} UTC"
    )


def _lines(found: ReleaseVerification, *, registry: bool) -> list[str]:
    release = found.release
    if release is None:  # then there is a fault
        return []
    also = ", and every blob in the registry is the cut's" if registry else ""
    said = (
        f"{found.files} files ({found.size_bytes / 1e6:.1f} MB) are as they were signed, {found.answers} gates judged "
        f"again from their evidence give the same answers{also}"
    )
    return [
        f"{release.version} stands: {said}",
        f"signed   {release.key_id}",
        f"commit   {release.candidate.commit}",
        f"wheel    {release.candidate.digest}",
        f"image    {release.image or 'none: cut without a container'}",
        f"verdict  {release.verdict.name}  {release.reason}",
    ]
