"""Which file to look at when no trusted key signed the manifest: the manifest itself, or its signature.

The cut is refused either way. Whatever is read here is believed by nobody; it only serves to point at the file that
the others contradict.
"""

import hashlib
from collections.abc import Mapping

from lens_core.errors import IntegrityError
from lens_core.supply import envelope, statement
from lens_core.supply.faults import Fault
from lens_core.supply.manifest import MANIFEST, SIGNATURE, SUMS, Manifest, decode, sums
from lens_core.supply.signatures import SIGNATURE_BYTES
from lens_core.supply.statement import PROVENANCE
from lens_core.supply.tree import Found, Tree, unreadable


def who_is_odd(
    tree: Tree, listed: Mapping[str, Found], content: bytes, signature: bytes, trusted: Mapping[str, bytes]
) -> Fault:
    """The fault of a manifest that no key of ``trusted`` signed, in the file that the rest of the cut contradicts."""
    keys = ", ".join(trusted) or "a key that you trust (none is named)"
    expected = f"the signature of {keys} over {MANIFEST}"
    if len(signature) != SIGNATURE_BYTES:
        return Fault(SIGNATURE, f"{SIGNATURE_BYTES} bytes", f"{len(signature)}")
    try:
        manifest = decode(content)
    except IntegrityError as error:
        return Fault(MANIFEST, "a manifest of a cut, signed", error.message)
    if odd := _odd(tree, listed, manifest):
        return Fault(MANIFEST, f"{expected}, and {odd}", "a manifest that others contradict, and no such signature")
    seen = "none that holds" if manifest.key in trusted else f"none that holds; it names {manifest.key}, not trusted"
    return Fault(SIGNATURE, expected, seen)


def _odd(tree: Tree, listed: Mapping[str, Found], manifest: Manifest) -> str:
    """What contradicts an unsigned manifest, in words; "" if nothing does."""
    entries = manifest.by_name
    if any(name in listed and listed[name].size != entry.size for name, entry in entries.items()):
        return "sizes as they are"
    if any(unreadable(listed, (SUMS,))) or tree.read(SUMS) != sums(manifest.entries):
        return f"the sums of {SUMS}"
    if SUMS not in entries or hashlib.sha256(tree.read(SUMS)).hexdigest() != entries[SUMS].sha256:
        return f"{SUMS} as it is"
    if any(unreadable(listed, (PROVENANCE,))):
        return ""
    try:
        enclosed = envelope.parse(tree.read(PROVENANCE))
        external = statement.decode(enclosed.payload).external
    except IntegrityError:
        return ""
    said = (external["version"], external["commit"], enclosed.key)
    same = said == (manifest.version, manifest.commit, manifest.key)
    return "" if same else f"version, commit and key of {PROVENANCE}"
