"""An index is whole or every fault is found and named, without tantivy."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_core.drills.index_damage import DAMAGES, counterpart, damages, redescribed, through_commands
from lens_core.drills.index_footer import Footer, sealed
from lens_core.drills.index_integrity import FILE_KINDS, SEGMENT_KINDS, Fault, examine, examine_store, formats, kind_of

ONE, TWO = "a" * 32, "b" * 32
BY_0_27 = Footer((0, 27, 0), 7, 0)


def uuid(name):
    """A segment's id as ``meta.json`` writes it."""
    return "-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:]))


def store(name, *, deletes=None, footer=BY_0_27):
    """The files of a tantivy index of one segment."""
    files = {name + kind: sealed(f"{name}{kind}".encode(), footer) for kind in SEGMENT_KINDS}
    if deletes is not None:
        files[f"{name}.{deletes}.del"] = sealed(b"deleted", footer)
    segment = {"segment_id": uuid(name), "max_doc": 3, "deletes": deletes and {"opstamp": deletes}}
    meta = {"segments": [segment], "schema": [{"name": "words"}], "opstamp": 4}
    files[".managed.json"] = json.dumps([*files, "meta.json"]).encode()
    return files | {"meta.json": json.dumps(meta).encode()}


def described(files):
    """With the engine's manifest of all files."""
    entries = {name: {"size_bytes": len(one), "crc32": zlib.crc32(one)} for name, one in files.items()}
    return files | {"manifest.json": json.dumps({"index_format": 1, "files": entries}).encode()}


def index(one=ONE, two=TWO):
    """A whole index: chunks and scopes."""
    return described(store(one) | {f"scopes/{name}": content for name, content in store(two).items()})


WHOLE, OTHER = index(), index("c" * 32, "d" * 32)


def faults(files, **more):
    """What is found, as (file, fault)."""
    return {(one.file, one.fault) for one in examine(files, **more)}


def edited(files, name, /, **changes):
    """With members of a JSON file exchanged."""
    return files | {name: json.dumps(json.loads(files[name]) | changes).encode()}


def test_a_whole_index_has_no_findings():
    """Nothing is found in an index that is as it was written; locks are nobody's business."""
    assert examine(WHOLE) == ()
    assert examine(WHOLE | {".tantivy-writer.lock": b""}) == ()
    assert examine_store(store(ONE, deletes=7)) == ()


def test_nothing_is_no_whole_index():
    """No files at all lack all that an index must have: no evidence is never a pass."""
    missing = {"manifest.json", "meta.json", "scopes/meta.json"}
    assert faults({}) == {(name, Fault.MISSING) for name in missing}


@pytest.mark.parametrize("damage", list(damages(WHOLE, OTHER)), ids=lambda one: f"{one.kind} {one.file} {one.place}")
def test_every_damage_is_found_and_its_file_named(damage):
    """Whatever happens to a file, it is named; of another manifest, those files that it does not fit."""
    found = {one.file for one in examine(damage.done_to(WHOLE))}
    assert damage.file in found or (damage.file == "manifest.json" and found)


def test_damages_cover_each_kind_of_file():
    """For every kind of file there is a damage of every kind."""
    made = {(one.kind, kind_of(one.file)) for one in damages(WHOLE, OTHER)}
    assert made == {(damage, kind) for damage in DAMAGES for kind in FILE_KINDS}
    assert [door for door, _ in through_commands(damages(WHOLE, OTHER))] == ["search", "search", "serve", "serve"]


@pytest.mark.parametrize("name", [name for name in WHOLE if kind_of(name) in SEGMENT_KINDS])
def test_a_manifest_written_over_damage_does_not_hide_it(name):
    """When the manifest agrees with a damaged file, its own footer still tells."""
    flipped = next(one for one in damages(WHOLE, OTHER) if one.file == name and one.kind == "flipped")
    assert faults(redescribed(WHOLE, flipped).done_to(WHOLE)) == {(name, Fault.DAMAGED)}


def test_a_footer_written_over_damage_does_not_hide_it():
    """When the footer agrees with a changed body, the manifest still tells."""
    changed = WHOLE | {f"{ONE}.idx": sealed(b"changed", BY_0_27)}
    assert faults(changed) == {(f"{ONE}.idx", Fault.TRUNCATED)}


def test_formats_newer_and_mixed():
    """A format that the reader does not know is found, and so is one file of another format than the rest."""
    newer = described(store(ONE, footer=Footer((0, 30, 0), 8, 0)) | {f"scopes/{n}": c for n, c in store(TWO).items()})
    assert {fault for _, fault in faults(newer)} == {Fault.NEWER_FORMAT}
    assert faults(newer, newest_format=8) == set()
    mixed = described(store(ONE) | {f"{ONE}.pos": sealed(b"x", Footer((0, 22, 0), 6, 0))})
    assert (f"{ONE}.pos", Fault.MIXED_FORMATS) in faults(mixed)
    assert formats(mixed)[f"{ONE}.pos"] == 6
    assert faults(WHOLE, newest_format=6) == {(name, Fault.NEWER_FORMAT) for name in formats(WHOLE)}


def test_what_meta_and_managed_name_must_be_there():
    """A segment without one of its files, a file that nobody names, and an entry without its file are found."""
    plain = store(ONE)
    without = {name: content for name, content in plain.items() if not name.endswith(".pos")}
    assert {(one.file, one.fault) for one in examine_store(without)} == {(f"{ONE}.pos", Fault.MISSING)}
    more = plain | {f"{TWO}.store": sealed(b"", BY_0_27)}
    assert {(one.file, one.fault) for one in examine_store(more)} == {(f"{TWO}.store", Fault.EXTRA)}
    names = json.loads(plain[".managed.json"])
    for listed in (names[1:], [*names, "gone.store"], [name for name in names if name != "meta.json"]):
        found = examine_store(plain | {".managed.json": json.dumps(listed).encode()})
        assert {(one.file, one.fault) for one in found} == {(".managed.json", Fault.DISAGREES)}
    deleted = {name: content for name, content in store(ONE, deletes=7).items() if not name.endswith(".del")}
    assert (f"{ONE}.7.del", Fault.MISSING) in {(one.file, one.fault) for one in examine_store(deleted)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"3",
        b'{"segments": 1}',
        b'{"opstamp": NaN}',
        b"\xff",
        b"[" * 100_000,
        b'{"a":1,"a":1}',
    ],
    ids=["empty", "cut", "list", "null", "number", "no list", "NaN", "no UTF-8", "nested", "twice"],
)
@pytest.mark.parametrize("name", ["meta.json", ".managed.json", "manifest.json", "scopes/meta.json"])
def test_json_that_is_none_is_found(name, content):
    """What cannot be understood is a finding of that file and never an error."""
    assert {one.file for one in examine(WHOLE | {name: content})} >= {name}


@pytest.mark.parametrize(
    "segment",
    [
        {"segment_id": 3},
        {"segment_id": "a" * 32, "max_doc": 1, "deletes": None},
        {"segment_id": uuid(ONE), "max_doc": -1, "deletes": None},
        {"segment_id": uuid(ONE), "max_doc": float("nan"), "deletes": None},
        {"segment_id": uuid(ONE), "max_doc": 1},
        {"segment_id": uuid(ONE), "max_doc": 1, "deletes": {"opstamp": "7"}},
        "segment",
    ],
    ids=["number", "no uuid", "negative", "NaN", "no deletes", "text", "no object"],
)
def test_segments_that_are_none_are_found(segment):
    """A segment with another id, size or deletion than tantivy writes is a finding of ``meta.json``."""
    assert ("meta.json", Fault.UNREADABLE) in faults(edited(WHOLE, "meta.json", segments=[segment]))


def test_a_segment_named_twice_is_found():
    """Two segments of one id are no index."""
    segments = json.loads(WHOLE["meta.json"])["segments"] * 2
    assert ("meta.json", Fault.UNREADABLE) in faults(edited(WHOLE, "meta.json", segments=segments))


@pytest.mark.parametrize("size", [True, 1.0, "1", None, -1, float("nan")], ids=str)
def test_manifest_entries_are_whole_numbers(size):
    """A size that is no whole number is none: ``True`` is not one byte."""
    entries = json.loads(WHOLE["manifest.json"])["files"]
    entries["meta.json"]["size_bytes"] = size
    assert ("manifest.json", Fault.UNREADABLE) in faults(edited(WHOLE, "manifest.json", files=entries))


@given(st.dictionaries(st.sampled_from([*WHOLE, "x", "scopes/x.store"]), st.binary(max_size=40), max_size=6))
def test_examining_arbitrary_bytes_ends_with_findings(some):
    """Whatever stands in the files, the examination ends, in findings that can be read."""
    found = examine(WHOLE | some)
    assert bool(found) == any(WHOLE.get(name) != content for name, content in some.items())
    assert all(str(one) for one in found)


def test_counterparts_are_of_the_same_folder_and_kind():
    """A swap puts chunks for chunks and scopes for scopes."""
    assert counterpart(f"{ONE}.idx", OTHER) == "c" * 32 + ".idx"
    assert counterpart(f"scopes/{TWO}.idx", OTHER) == "scopes/" + "d" * 32 + ".idx"
    assert counterpart("x.bin", OTHER) is None
