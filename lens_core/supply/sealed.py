"""Opens a sealed cut: whether every byte of it is what one trusted key signed, and whether its parts agree.

The order is the order of trust. First the signature over the manifest's bytes: before it holds, nothing in the cut
is believed. Then every file against the manifest. Only when each byte is the signed one, what is in them is compared:
``SHA256SUMS``, the image layout, and provenance, whose subjects must be exactly this cut's outputs.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lens_core.errors import IntegrityError, Unavailable
from lens_core.supply import image_layout, statement
from lens_core.supply.blame import who_is_odd
from lens_core.supply.envelope import open_envelope
from lens_core.supply.faults import Fault, FaultFound
from lens_core.supply.manifest import MANIFEST, SIGNATURE, SUMS, Entry, Manifest, decode, signed_bytes, sums
from lens_core.supply.signatures import is_signed, key_id
from lens_core.supply.statement import PROVENANCE, Provenance, Subject
from lens_core.supply.tree import MAX_READ, Found, Kind, Tree, unreadable

IMAGE_SUBJECT = "image"
"""The name under which provenance holds the digest of the image's manifest."""
NOT_SUBJECTS = frozenset({MANIFEST, SIGNATURE, SUMS, PROVENANCE, "gates.json"})
"""What no provenance can name: the seal around it, itself, and the verdict that judges it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening a seal gave. ``manifest`` is None unless a trusted key signed it.

    ``provenance`` is None where the cut has none; that is no fault of the seal, and no evidence either.
    """

    faults: tuple[Fault, ...]
    manifest: Manifest | None = None
    provenance: Provenance | None = None

    @property
    def stands(self) -> bool:
        """Whether every byte is as it was signed; nothing signed does not stand."""
        return self.manifest is not None and not self.faults


def subjects_of(entries: Iterable[Entry], image_digest: str = "") -> tuple[Subject, ...]:
    """What provenance must name: every file but NOT_SUBJECTS, and the image by its manifest's digest (hex), if any."""
    named = [
        Subject(entry.name, entry.sha256)
        for entry in entries
        if entry.name not in NOT_SUBJECTS and not entry.name.startswith(image_layout.FOLDER)
    ]
    return tuple(sorted([*named, Subject(IMAGE_SUBJECT, image_digest)] if image_digest else named))


def verify(tree: Tree, trusted_keys: Mapping[str, bytes], *, version: str = "") -> Opened:
    """Examine a cut against ``trusted_keys`` (raw public keys by id); ``version`` is the one it must be, if any.

    Faults are values, and each names its file. Without a trusted key nothing stands (first law).
    """
    listed = tree.files()
    absent = tuple(unreadable(listed, (MANIFEST, SIGNATURE)))
    if absent:
        return Opened(absent)
    try:
        manifest, public = _signed(tree, listed, trusted_keys)
    except FaultFound as found:
        return Opened((found.fault,))
    if version and manifest.version != version:
        return Opened((Fault(MANIFEST, f"version {version}", manifest.version),), manifest)
    faults = tuple(_differences(tree, listed, manifest))
    if faults:
        return Opened(faults, manifest)
    return _agreement(tree, manifest, {manifest.key: public})


def _signed(tree: Tree, listed: Mapping[str, Found], trusted_keys: Mapping[str, bytes]) -> tuple[Manifest, bytes]:
    """The manifest and the raw public key that signed it; what is not signed is not read."""
    content, signature = tree.read(MANIFEST), tree.read(SIGNATURE)
    message = signed_bytes(content)
    public = next((key for key in trusted_keys.values() if is_signed(key, signature, message)), None)
    if public is None:
        raise FaultFound(who_is_odd(tree, listed, content, signature, trusted_keys))
    try:
        manifest = decode(content)
    except IntegrityError as error:
        raise FaultFound(Fault(MANIFEST, "a manifest of a cut", error.message)) from error
    if manifest.key != key_id(public):
        raise FaultFound(Fault(MANIFEST, f"the key {key_id(public)} that signed it", manifest.key))
    return manifest, public


def _differences(tree: Tree, listed: Mapping[str, Found], manifest: Manifest) -> Iterable[Fault]:
    """Every file that is not as the manifest has it, by name."""
    entries, faults = manifest.by_name, []
    if SUMS not in entries:
        faults.append(Fault(SUMS, "an entry of the manifest", "none"))
    emptied = {name.rpartition("/")[0] for name in entries}  # an empty folder there: its files are named already
    faults.extend(
        Fault(name, "only what the manifest names", f"{listed[name].kind} that it does not name")
        for name in listed.keys() - entries.keys() - {MANIFEST, SIGNATURE}
        if not (listed[name].kind is Kind.FOLDER and name in emptied)
    )
    same = []
    for name, entry in entries.items():
        found = listed.get(name)
        if found is None:
            faults.append(Fault(name, "a file", "no such file"))
        elif found.kind is not Kind.REGULAR:
            faults.append(Fault(name, Kind.REGULAR, found.kind))
        elif found.size != entry.size:
            faults.append(Fault(name, f"{entry.size:,} bytes", f"{found.size:,}"))
        else:
            same.append(name)
    digests = tree.digests(same)
    faults.extend(
        Fault(name, f"sha256 {entries[name].sha256}", digests[name])
        for name in same
        if digests[name] != entries[name].sha256
    )
    return sorted(faults)


def _agreement(tree: Tree, manifest: Manifest, key: Mapping[str, bytes]) -> Opened:
    """Whether what the signed files say of each other is so."""
    entries, faults = manifest.by_name, []

    def read(name: str) -> bytes:
        if entries[name].size > MAX_READ:
            raise FaultFound(Fault(name, f"at most {MAX_READ:,} bytes", f"{entries[name].size:,}"))
        content = tree.read(name)
        if hashlib.sha256(content).hexdigest() != entries[name].sha256:
            raise Unavailable(f"{name} changed while it was read", "let nothing else write to the cut")
        return content

    if read(SUMS) != sums(manifest.entries):
        faults.append(Fault(SUMS, "the sums that the manifest has", "others"))
    image_digest, provenance = "", None
    try:
        if any(name.startswith(image_layout.FOLDER) for name in entries):
            image_digest = image_layout.image_digest(entries, read)
        if PROVENANCE in entries:
            provenance = _provenance(read, manifest, key, image_digest)
    except FaultFound as found:
        faults.append(found.fault)
    return Opened(tuple(faults), manifest, provenance)


def _provenance(
    read: Callable[[str], bytes], manifest: Manifest, key: Mapping[str, bytes], image_digest: str
) -> Provenance:
    try:
        found = statement.decode(open_envelope(read(PROVENANCE), key))
    except FaultFound:
        raise
    except IntegrityError as error:
        raise FaultFound(Fault(PROVENANCE, "the signed provenance of this cut", error.message)) from error
    wanted, named = set(subjects_of(manifest.entries, image_digest)), set(found.subjects)
    if wanted != named:
        odd = min(wanted ^ named)
        seen = f"{odd.name} with sha256 {odd.sha256} only in {'the cut' if odd in wanted else 'it'}"
        raise FaultFound(Fault(PROVENANCE, "exactly this cut's outputs as subjects", seen))
    commits = [material.digest for material in found.materials if material.algorithm == "gitCommit"]
    seen_of = {"version": found.external["version"], "commit": found.external["commit"], "source": ", ".join(commits)}
    wanted_of = {"version": manifest.version, "commit": manifest.commit, "source": manifest.commit}
    for what, wanted_text in wanted_of.items():
        if seen_of[what] != wanted_text:
            raise FaultFound(Fault(PROVENANCE, f"{what} {wanted_text}", str(seen_of[what])))
    return found
