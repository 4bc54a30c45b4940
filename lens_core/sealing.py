"""Seals what a workspace holds, be it a cut or a drill: one manifest over every file, one signature over that."""

from collections.abc import Mapping

from lens_core.cut_ports import Workspace
from lens_core.errors import InvalidInput
from lens_core.supply import manifest
from lens_core.supply.signatures import key_id
from lens_core.supply.words import Signer


def expect_trusted(signer: Signer, trusted: Mapping[str, bytes]) -> Signer:
    """The signer, if verifying here believes its key; else nobody here could verify what it seals: InvalidInput."""
    own = key_id(signer.public_key)
    if own not in trusted:
        raise InvalidInput(
            f"expected a signing key that is trusted here, saw {own}",
            "`lens keys trust FILE` trusts its public key, `lens keys new` makes one that is trusted",
        )
    return signer


def seal(workspace: Workspace, signer: Signer, *, version: str, commit: str) -> int:
    """Write sums, manifest and signature over all that was entered as done; how many files the manifest names."""
    entries = list(workspace.finish())
    workspace.write({manifest.SUMS: manifest.sums(entries)})
    entries.append(workspace.entry(manifest.SUMS))
    content = manifest.build(entries, version=version, commit=commit, key=key_id(signer.public_key))
    workspace.write({manifest.MANIFEST: content, manifest.SIGNATURE: manifest.sign(content, signer)})
    return len(entries)
