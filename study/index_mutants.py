"""Ways in which an index can be other than it was written, as values; most in two forms.

``plain``: the manifest is as it was. ``rewritten``: the manifest names the mutated files as they are now, so that
only tantivy's footers, or the meaning of what they hold, can tell. The same seed gives the same mutations.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lens_core.drills.index_damage import Damage, counterpart, flipped, redescribed
from lens_core.drills.index_footer import Footer, sealed, split
from lens_core.drills.index_integrity import MANAGED, MANIFEST, META, SCOPES, SEGMENT_KINDS, kind_of

Files = Mapping[str, bytes]
_JSON: Final = (META, SCOPES + META, MANAGED, SCOPES + MANAGED)


@dataclass(frozen=True, slots=True)
class Specimen:
    """An index, and another of the same schema and engine: what mutations are made of."""

    files: Files
    other: Files

    @property
    def segments(self) -> list[str]:
        """The files that have a footer."""
        return sorted(name for name in self.files if kind_of(name) in SEGMENT_KINDS)


def mutations(specimen: Specimen, count: int, seed: int) -> Iterator[Damage]:
    """``count`` mutations that change something, each kind in turn."""
    chance = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    made = 0
    while made < count:
        damage = KINDS[made % len(KINDS)](specimen, chance)
        touched = {name: content for name, content in damage.put.items() if name != MANIFEST}
        if any(specimen.files.get(name) != content for name, content in (touched or damage.put).items()):
            made += 1
            yield damage


def forgeries(specimen: Specimen, count: int, seed: int) -> Iterator[Damage]:
    """``count`` mutations with footer and manifest both made to agree: no CRC can tell, and none is meant to."""
    chance = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    for number in range(count):
        name = specimen.segments[number % len(specimen.segments)]
        body, footer = split(specimen.files[name])
        changed = flipped(body, chance.randrange(len(body)), 1 << chance.randrange(8))
        damage = Damage("forged", name, "body, footer and manifest", {name: sealed(changed, footer)})
        yield redescribed(specimen.files, damage)


def _flip(specimen: Specimen, chance: random.Random) -> Damage:
    name = chance.choice(sorted(specimen.files))
    at = chance.randrange(len(specimen.files[name]))
    return Damage("bit flip", name, f"byte {at}", {name: flipped(specimen.files[name], at, 1 << chance.randrange(8))})


def _flip_rewritten(specimen: Specimen, chance: random.Random) -> Damage:
    name = chance.choice(specimen.segments)
    at = chance.randrange(len(specimen.files[name]))
    put = {name: flipped(specimen.files[name], at, 1 << chance.randrange(8))}
    return redescribed(specimen.files, Damage("bit flip", name, f"byte {at}", put))


def _sealed_body(specimen: Specimen, chance: random.Random) -> Damage:
    name = chance.choice(specimen.segments)
    body, footer = split(specimen.files[name])
    changed = flipped(body, chance.randrange(len(body)), 1 << chance.randrange(8))
    return Damage("body flip, footer rewritten", name, "body", {name: sealed(changed, footer)})


def _footer(specimen: Specimen, chance: random.Random) -> Damage:
    """Something in the footer is another number, or another text."""
    name = chance.choice(specimen.segments)
    body, footer = split(specimen.files[name])
    text, tail = footer.encode()[:-8], footer.encode()[-8:]
    length, magic = int.from_bytes(tail[:4], "little"), int.from_bytes(tail[4:], "little")
    lengths = [0, 1, length - 1, length + 1, length + len(body), 2**31, 2**32 - 1]
    shapes = {
        "length": text + chance.choice(lengths).to_bytes(4, "little") + tail[4:],
        "magic": text + tail[:4] + chance.choice([0, magic - 1, magic + 1, 2**32 - 1]).to_bytes(4, "little"),
        "crc": Footer(footer.version, footer.index_format, (footer.crc + chance.choice([-1, 1])) % 2**32).encode(),
        "no tail": text,
        "no footer": b"",
        "twice": footer.encode() * 2,
        "cut": footer.encode()[: chance.randrange(len(text))],
        "big-endian": text + tail[3::-1] + tail[:3:-1],
        "no JSON": b" " * len(text) + tail,
        "a key twice": _framed(text[:-1] + b',"crc":%d}' % footer.crc),
        "spaces": _framed(text.replace(b":", b": ")),
        "negative": _framed(text.replace(b'"crc":', b'"crc":-')),
    }
    shape = chance.choice(sorted(shapes))
    return _either(specimen, Damage("footer", name, shape, {name: body + shapes[shape]}), chance)


def _format(specimen: Specimen, chance: random.Random) -> Damage:
    """A format that no version of tantivy has written; the body is as it was."""
    number, names = chance.choice([0, 8, 99, 2**32 - 1]), specimen.segments
    names = names if chance.random() < 1 / 3 else [chance.choice(names)]
    put = {}
    for name in names:
        body, footer = split(specimen.files[name])
        put[name] = sealed(body, Footer(footer.version, number, 0))
    return _either(specimen, Damage("format number", names[0], f"{number}", put), chance)


def _framed(text: bytes) -> bytes:
    return text + len(text).to_bytes(4, "little") + (1337).to_bytes(4, "little")


def _length(specimen: Specimen, chance: random.Random) -> Damage:
    """Bytes are missing from a file, or too many; sometimes its footer stays at the end."""
    name = chance.choice(specimen.segments)
    content = specimen.files[name]
    body, footer = split(content)
    cut, more = chance.randrange(len(body)), chance.randbytes(chance.randint(1, 40))
    shapes = {
        "end cut off": content[: chance.randrange(len(content))],
        "start cut off": content[chance.randint(1, len(body)) :],
        "body cut, footer kept": body[:cut] + footer.encode(),
        "bytes within": body[:cut] + more + body[cut:] + footer.encode(),
        "bytes after": content + more,
        "empty": b"",
        "zeros": bytes(len(content)),
    }
    shape = chance.choice(sorted(shapes))
    return _either(specimen, Damage("length", name, shape, {name: shapes[shape]}), chance)


def _meta(specimen: Specimen, chance: random.Random) -> Damage:
    """``meta.json`` says something else of the same files."""
    name = chance.choice([META, SCOPES + META])
    place = chance.choice(sorted(_META_EDITS))
    meta = json.loads(specimen.files[name])
    _META_EDITS[place](meta, chance)
    same = meta == json.loads(specimen.files[name])
    content = specimen.files[name] if same else json.dumps(meta, indent=2).encode()
    return _either(specimen, Damage("meta.json", name, place, {name: content}), chance)


def _first(meta: dict[str, Any]) -> dict[str, Any]:
    segment: dict[str, Any] = meta["segments"][0]
    return segment


def _field(meta: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    field: dict[str, Any] = chance.choice(meta["schema"])
    return field


_META_EDITS: Final[Mapping[str, Callable[[dict[str, Any], random.Random], object]]] = {
    "opstamp": lambda meta, chance: meta.update(opstamp=chance.choice([0, 1, 2**63, meta["opstamp"] + 1])),
    "segment id": lambda meta, _: _first(meta).update(segment_id="0123456789abcdef".center(32, "0")),
    "no segments": lambda meta, _: meta.update(segments=[]),
    "a segment twice": lambda meta, _: meta["segments"].append(dict(_first(meta))),
    "fewer documents": lambda meta, _: _first(meta).update(max_doc=_first(meta)["max_doc"] - 1),
    "more documents": lambda meta, chance: _first(meta).update(max_doc=_first(meta)["max_doc"] + chance.choice([1, 9])),
    "no documents": lambda meta, _: _first(meta).update(max_doc=0),
    "deletes": lambda meta, _: _first(meta).update(deletes={"num_deleted_docs": 1, "opstamp": 1}),
    "reordered schema": lambda meta, _: meta["schema"].reverse(),
    "two fields exchanged": lambda meta, _: meta["schema"].insert(0, meta["schema"].pop()),
    "dropped field": lambda meta, chance: meta["schema"].remove(_field(meta, chance)),
    "renamed field": lambda meta, chance: _field(meta, chance).update(name="other"),
    "another type": lambda meta, chance: _field(meta, chance).update(type="facet"),
    "not stored": lambda meta, chance: _field(meta, chance)["options"].update(stored=False),
    "no schema": lambda meta, _: meta.pop("schema"),
    "settings": lambda meta, _: meta.update(index_settings={"docstore_compression": "none", "docstore_blocksize": 1}),
    "a field more": lambda meta, _: meta["schema"].append({**meta["schema"][0], "name": "more"}),
    "another analyzer": lambda meta, _: meta["schema"][0]["options"].update(
        indexing={"record": "basic", "fieldnorms": True, "tokenizer": "en_stem"}
    ),
}


def _text(specimen: Specimen, chance: random.Random) -> Damage:
    """JSON that is none, or not only one value."""
    name = chance.choice([*_JSON, MANIFEST])
    content = specimen.files[name]
    key = next(iter(json.loads(content)), "")
    shapes = {
        "cut": content[: chance.randrange(len(content))],
        "empty object": b"{}",
        "null": b"null",
        "nested": b"[" * 100_000,
        "not a number": b'{"opstamp": NaN}',
        "no UTF-8": content.replace(b'"', b"\xff", 1),
        "a key twice": content.replace(b"{", b'{"%b": 1, ' % str(key).encode(), 1),
        "a huge number": content.replace(b"{", b'{"x": %b, ' % (b"9" * 5000), 1),
        "two values": content + content,
        "a byte order mark": b"\xef\xbb\xbf" + content,
    }
    shape = chance.choice(sorted(shapes))
    return _either(specimen, Damage("JSON", name, shape, {name: shapes[shape]}), chance)


def _managed(specimen: Specimen, chance: random.Random) -> Damage:
    name = chance.choice([MANAGED, SCOPES + MANAGED])
    names = json.loads(specimen.files[name])
    shapes = {
        "empty": [],
        "one less": names[1:],
        "one more": [*names, "0" * 32 + ".store"],
        "one twice": [*names, names[0]],
        "no names": [1, 2],
        "outside": [*names, "../manifest.json"],
    }
    shape = chance.choice(sorted(shapes))
    damage = Damage(".managed.json", name, shape, {name: json.dumps(shapes[shape]).encode()})
    return _either(specimen, damage, chance)


def _manifest(specimen: Specimen, chance: random.Random) -> Damage:
    manifest = json.loads(specimen.files[MANIFEST])
    place = chance.choice(sorted(_MANIFEST_EDITS))
    _MANIFEST_EDITS[place](manifest, chance)
    return Damage("manifest.json", MANIFEST, place, {MANIFEST: json.dumps(manifest).encode()})


def _entry(manifest: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    entry: dict[str, Any] = manifest["files"][chance.choice(sorted(manifest["files"]))]
    return entry


_MANIFEST_EDITS: Final[Mapping[str, Callable[[dict[str, Any], random.Random], object]]] = {
    "CRC": lambda said, chance: _entry(said, chance).update(crc32=chance.randrange(2**32)),
    "size": lambda said, chance: _entry(said, chance).update(size_bytes=chance.randrange(10_000)),
    "size as text": lambda said, chance: _entry(said, chance).update(size_bytes="10"),
    "CRC of nothing": lambda said, chance: _entry(said, chance).update(crc32=None),
    "an entry less": lambda said, chance: said["files"].pop(chance.choice(sorted(said["files"]))),
    "an entry more": lambda said, _: said["files"].update({"../else": {"size_bytes": 0, "crc32": 0}}),
    "no entries": lambda said, _: said.update(files={}),
    "newer format": lambda said, chance: said.update(index_format=chance.choice([2, 99, 2**70])),
    "older format": lambda said, chance: said.update(index_format=chance.choice([0, -1])),
    "format as text": lambda said, chance: said.update(index_format=chance.choice(["1", None, [1], 1.0])),
    "other count": lambda said, chance: said.update(document_count=said["document_count"] + chance.choice([-1, 1])),
    "other analyzer": lambda said, _: said.update(analyzer_fingerprint="sha256:" + "0" * 64),
    "dropped field": lambda said, chance: said["schema"].pop(chance.choice(sorted(said["schema"]))),
    "other field": lambda said, _: said["schema"].update(path="whitespace freq"),
    "a key less": lambda said, chance: said.pop(chance.choice(sorted(said))),
    "a key more": lambda said, _: said.update(surprise=1),
}


def _missing(specimen: Specimen, chance: random.Random) -> Damage:
    name = chance.choice(sorted(specimen.files))
    damage = Damage("file missing", name, "", {name: None})
    return damage if name == MANIFEST else _either(specimen, damage, chance)


def _extra(specimen: Specimen, chance: random.Random) -> Damage:
    name = chance.choice(["extra.bin", SCOPES + "0" * 32 + ".store", "other/meta.json", "0" * 32 + ".1.del"])
    content = chance.choice([b"", b"{}", specimen.files[META]])
    return _either(specimen, Damage("file added", name, "", {name: content}), chance)


def _swapped(specimen: Specimen, chance: random.Random) -> Damage:
    """A file of the other index; in ``rewritten`` form nothing in the file itself could tell, so there is none."""
    name = chance.choice(sorted(specimen.files))
    foreign = counterpart(name, specimen.other)
    return Damage("from another index", name, "", {name: specimen.other[foreign] if foreign else None})


def _exchanged(specimen: Specimen, chance: random.Random) -> Damage:
    """Two files of the index under each other's names."""
    one, two = chance.sample(sorted(specimen.files.keys() - {MANIFEST}), 2)
    put = {one: specimen.files[two], two: specimen.files[one]}
    damage = Damage("two exchanged", one, f"with {kind_of(two)}", put)
    return damage if {kind_of(one), kind_of(two)} <= set(SEGMENT_KINDS) else _either(specimen, damage, chance)


def _either(specimen: Specimen, damage: Damage, chance: random.Random) -> Damage:
    """As it is, or with a manifest that agrees."""
    touched_manifest = MANIFEST in damage.put
    return damage if touched_manifest or chance.random() < 1 / 2 else redescribed(specimen.files, damage)


KINDS: Final[tuple[Callable[[Specimen, random.Random], Damage], ...]] = (
    _flip,
    _flip_rewritten,
    _sealed_body,
    _footer,
    _format,
    _length,
    _meta,
    _text,
    _managed,
    _manifest,
    _missing,
    _extra,
    _swapped,
    _exchanged,
)
