"""Every way to tamper with a cut that we know of, as values: what is changed, and which files that touches."""

import hashlib
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from lens_core.supply import canonical
from lens_core.supply.manifest import MANIFEST, SIGNATURE, sign
from lens_core.supply.statement import PROVENANCE
from lens_core.supply.tree import Found, Kind
from study.cuts import SeededSigner, Shape, resealed, sealed_cut

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
SEAL = frozenset({MANIFEST, SIGNATURE})

Put = bytes | Kind | None
"""What stands under a name afterwards: bytes, something that is no regular file, or nothing."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """``kind`` of tampering, and what it puts under which names."""

    kind: str
    put: Mapping[str, Put]

    def names_rightly(self, named: Collection[str]) -> bool:
        """Whether the files that a verifier named are those that were touched; of the seal's two, any that was."""
        touched = set(self.put)
        return bool(named) and (set(named) <= touched if touched & SEAL else set(named) == touched)


@dataclass(frozen=True, slots=True)
class Specimen:
    """A cut, another candidate's of the same key, and the keys: what mutations are made of."""

    cut: Mapping[str, bytes]
    other: Mapping[str, bytes]
    signer: SeededSigner
    stranger: SeededSigner
    shape: Shape
    names: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, shape: Shape) -> "Specimen":
        """Two candidates sealed by the study's key, the second of another version and commit."""
        signer, stranger = SeededSigner(1), SeededSigner(2)
        cut = sealed_cut(shape, signer)
        other = sealed_cut(Shape("1.0.0-rc.2", "ab" * 20, shape.image), signer)
        return cls(cut, other, signer, stranger, shape, tuple(sorted(cut)))

    def differs(self, mutation: Mutation) -> bool:
        """Whether anything is other than it was."""
        return any(self.cut.get(name) != put for name, put in mutation.put.items())


class MutatedTree:
    """The ``Tree`` of a cut in memory, with a mutation laid over it."""

    def __init__(self, cut: Mapping[str, bytes], digests: Mapping[str, str], put: Mapping[str, Put]) -> None:
        self._cut, self._digests, self._put = cut, digests, put

    def files(self) -> Mapping[str, Found]:
        """Everything there is."""
        listed = {name: Found(Kind.REGULAR, len(content)) for name, content in self._cut.items()}
        for name, put in self._put.items():
            if put is None:
                listed.pop(name, None)
            else:
                listed[name] = Found(put, 0) if isinstance(put, Kind) else Found(Kind.REGULAR, len(put))
        return listed

    def digests(self, names: Collection[str]) -> Mapping[str, str]:
        """SHA-256 in hex; that of what was not touched is known."""
        return {n: sha256(self.read(n)) if n in self._put else self._digests[n] for n in names}

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        put = self._put.get(name, self._cut.get(name))
        if not isinstance(put, bytes):
            raise TypeError(f"expected {name} to be read only where it is a regular file, saw {put!r}")
        return put


def sha256(content: bytes) -> str:
    """The SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def every_bit(specimen: Specimen, name: str) -> Iterator[Mutation]:
    """Each bit of a file flipped, one at a time."""
    content = specimen.cut[name]
    for bit in range(8 * len(content)):
        yield Mutation("every bit", {name: _flipped(content, bit)})


def random_mutations(specimen: Specimen, count: int, seed: int) -> Iterator[Mutation]:
    """``count`` mutations, each of a random kind; the same seed gives the same ones."""
    chance = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    made = 0
    while made < count:
        mutation = chance.choice(KINDS)(specimen, chance)
        if specimen.differs(mutation):
            made += 1
            yield mutation


def _flip(specimen: Specimen, chance: random.Random) -> Mutation:
    name = chance.choice([name for name in specimen.names if specimen.cut[name]])
    return Mutation("bit flip", {name: _flipped(specimen.cut[name], chance.randrange(8 * len(specimen.cut[name])))})


def _insert(specimen: Specimen, chance: random.Random) -> Mutation:
    name, content = _one(specimen, chance)
    place = chance.randint(0, len(content))
    some = chance.choice([chance.randbytes(1), b"0", b" ", b"\n", b"\0", content[place : place + 1], b"="])
    return Mutation("insertion", {name: content[:place] + some + content[place:]})


def _delete(specimen: Specimen, chance: random.Random) -> Mutation:
    name, content = _one(specimen, chance)
    place = chance.randrange(max(len(content), 1))
    return Mutation("deletion", {name: content[:place] + content[place + chance.randint(1, 8) :]})


def _truncate(specimen: Specimen, chance: random.Random) -> Mutation:
    name, content = _one(specimen, chance)
    return Mutation("truncation", {name: content[: chance.randrange(max(len(content), 1))]})


def _swap(specimen: Specimen, chance: random.Random) -> Mutation:
    one, two = chance.sample(specimen.names, 2)
    return Mutation("swapped files", {one: specimen.cut[two], two: specimen.cut[one]})


def _extra(specimen: Specimen, chance: random.Random) -> Mutation:
    near = chance.choice(specimen.names)
    name = chance.choice(
        [f"{near}.bak", f"dist/{chance.randrange(10**6)}.whl", ".hidden", "a b", "dist/\n", "-rf", "*"]
    )
    puts: list[Put] = [b"", specimen.cut[near], Kind.SYMLINK, Kind.FOLDER, Kind.OTHER]
    return Mutation("extra file", {name: chance.choice(puts)})


def _remove(specimen: Specimen, chance: random.Random) -> Mutation:
    return Mutation("missing file", {chance.choice(specimen.names): None})


def _rename(specimen: Specimen, chance: random.Random) -> Mutation:
    name, content = _one(specimen, chance)
    return Mutation("renamed file", {name: None, chance.choice([name + "x", name.upper() + "_", "x" + name]): content})


def _other_kind(specimen: Specimen, chance: random.Random) -> Mutation:
    kind = chance.choice([Kind.SYMLINK, Kind.SYMLINK, Kind.FOLDER, Kind.OTHER])
    return Mutation("no regular file", {chance.choice(specimen.names): kind})


def _duplicate_key(specimen: Specimen, chance: random.Random) -> Mutation:
    name = chance.choice([MANIFEST, PROVENANCE])
    content = specimen.cut[name]
    members = {MANIFEST: ("commit", "files", "format", "key", "version"), PROVENANCE: ("payload", "signatures")}
    key = chance.choice(members[name])
    value = canonical.encode(canonical.decode(specimen.cut[name])[key])
    member = b'"%s":%s' % (key.encode(), chance.choice([value, b'"x"', b"0", b"[]"]))
    twice = chance.choice([b"{" + member + b"," + content[1:], content[:-1] + b"," + member + b"}"])
    return Mutation("duplicate key", {name: twice})


def _replay(specimen: Specimen, chance: random.Random) -> Mutation:
    names = chance.choice([(MANIFEST, SIGNATURE), (MANIFEST,), (SIGNATURE,), (PROVENANCE,), ("SHA256SUMS",)])
    return Mutation("another candidate's", {name: specimen.other[name] for name in names})


def _other_key(specimen: Specimen, chance: random.Random) -> Mutation:
    if chance.random() < 0.5:  # noqa: PLR2004
        return Mutation("another key", {SIGNATURE: sign(specimen.cut[MANIFEST], specimen.stranger)})
    forged = resealed(dict(specimen.cut), specimen.shape, specimen.stranger)
    return Mutation("another key", {name: forged[name] for name in (MANIFEST, SIGNATURE)})


def _malleable(specimen: Specimen, chance: random.Random) -> Mutation:
    signature = specimen.cut[SIGNATURE]
    scalar = int.from_bytes(signature[32:], "little") + chance.randint(1, 14) * GROUP_ORDER
    return Mutation("S + k L", {SIGNATURE: signature[:32] + scalar.to_bytes(32, "little")})


KINDS: tuple[Callable[[Specimen, random.Random], Mutation], ...] = (
    *(_flip, _flip, _insert, _insert, _delete, _truncate, _swap, _extra, _remove, _rename, _other_kind),
    *(_duplicate_key, _replay, _other_key, _malleable),
)


def _one(specimen: Specimen, chance: random.Random) -> tuple[str, bytes]:
    name = chance.choice(specimen.names)
    return name, specimen.cut[name]


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
