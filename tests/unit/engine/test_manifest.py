"""Each kind of damage to an index is refused, with its reason."""

import json
import shutil

import pytest
import tantivy

from lens_core.engine import manifest, store
from lens_core.engine.errors import EngineError, IndexRefused
from lens_core.engine.search import open_index


@pytest.fixture
def copy(index_directory, tmp_path):
    """A copy of the index that may be damaged."""
    return shutil.copytree(index_directory, tmp_path / "index")


def edit(directory, **changes):
    """Overwrites entries of the manifest."""
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(directory):
    """The refusal that opening must raise, with a hint and exit code 5."""
    with pytest.raises(IndexRefused) as caught:
        open_index(directory)
    assert caught.value.hint
    assert caught.value.exit_code == 5
    return caught.value


def test_an_untouched_copy_opens(copy):
    """An index may be moved: nothing in it names its place."""
    assert open_index(copy).search("getUserName").total > 0


def test_a_missing_index(tmp_path):
    """A directory that is not there is refused as missing."""
    assert refusal(tmp_path / "absent").code == "missing"


def test_no_manifest(copy):
    """An index without a manifest was made by somebody else."""
    (copy / "manifest.json").unlink()
    assert refusal(copy).code == "foreign"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        "null",
        '{"index_format": "1"}',
        '{"index_format": 1}',
        "\udcff",
        "[" * 100_000,
        '{"a": 1, "a": 1}',
    ],
    ids=["cut", "list", "empty", "null", "text", "format only", "no UTF-8", "nested", "a key twice"],
)
def test_a_manifest_that_is_none(copy, text):
    """A manifest that cannot be understood is refused, whatever it holds."""
    (copy / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert refusal(copy).code in {"damaged", "foreign"}


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"index_format": 2}, "newer", "expected index format 1, saw 2"),
        ({"index_format": 0}, "older", "expected index format 1, saw 0"),
        ({"analyzer_fingerprint": "sha256:00"}, "analyzer", "saw sha256:00"),
        ({"schema": {"path": "raw"}}, "schema", "schema: expected"),
        ({"files": {}}, "damaged", "does not name"),
        ({"files": 3}, "damaged", "other fields"),
        ({"surprise": 1}, "damaged", "other fields"),
        ({"languages": None}, "damaged", "other fields"),
        ({"languages": {"python": "1"}}, "damaged", "a count is something else"),
        ({"skipped": {"binary": -1}}, "damaged", "a count is something else"),
        ({"tantivy_version": 27}, "damaged", "a text or a count"),
        ({"document_count": 1}, "damaged", "expected 1 documents"),
    ],
)
def test_a_manifest_that_does_not_fit(copy, changes, code, words):
    """Another format, schema or analyzer is refused and says what was expected and seen."""
    edit(copy, **changes)
    refused = refusal(copy)
    assert refused.code == code
    assert words in refused.message


def test_every_file_is_guarded(copy):
    """One flipped byte anywhere in any file is found before tantivy reads it."""
    for path in sorted(copy.rglob("*")):
        if not path.is_file() or path.name == "manifest.json" or path.suffix == ".lock":
            continue
        before = path.read_bytes()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        assert path.relative_to(copy).as_posix() in refusal(copy).message
        path.write_bytes(before)
    open_index(copy)


def redescribe(directory, *names):
    """Makes the manifest agree with files as they are now."""
    described = json.loads((directory / "manifest.json").read_text())
    for name in names:
        described["files"].pop(name, None)
        if (directory / name).exists():
            entry = manifest._entry(directory / name)
            described["files"][name] = {"size_bytes": entry.size_bytes, "crc32": entry.crc32}
    (directory / "manifest.json").write_text(json.dumps(described))


def test_every_footer_is_guarded(copy):
    """A manifest written over damaged files hides no damage: neither in a body nor in a footer."""
    for path in sorted(path for path in copy.rglob("*.*") if path.suffix not in {".json", ".lock"}):
        name, before = path.relative_to(copy).as_posix(), path.read_bytes()
        for place in (0, len(before) - 12, len(before) - 1):
            path.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
            redescribe(copy, name)
            assert f"{name}: expected" in (message := refusal(copy).message)
            assert "footer" in message
        path.write_bytes(before)
        redescribe(copy, name)
    open_index(copy)


@pytest.mark.parametrize("content", [b"", b"1337", bytes(300), b"\xff" * 8], ids=["empty", "short", "zeros", "ones"])
def test_a_file_without_a_footer_is_refused(copy, content):
    """What does not end as tantivy ends a file is none of its files."""
    [store_file] = copy.glob("*.store")
    store_file.write_bytes(content)
    redescribe(copy, store_file.name)
    assert "expected a footer of tantivy" in refusal(copy).message


def test_another_order_of_fields_is_refused(copy):
    """Fields are counted by tantivy: the same ones in another order would answer from the wrong ones."""
    meta = json.loads((copy / "meta.json").read_text())
    meta["schema"].reverse()
    (copy / "meta.json").write_text(json.dumps(meta))
    redescribe(copy, "meta.json")
    refused = refusal(copy)
    assert refused.code == "schema"
    assert "another order" in refused.message


@pytest.mark.parametrize("folder", ["", "scopes/"])
def test_a_segment_that_lacks_a_file_is_refused(copy, folder):
    """A segment without positions is refused on opening, not when somebody asks for a phrase."""
    [positions] = (copy / folder).glob("*.pos")
    positions.unlink()
    redescribe(copy, folder + positions.name)
    assert "expected the file .pos" in refusal(copy).message


def test_scopes_that_are_not_there_are_missed(copy):
    """An index whose scopes are fewer than its chunks have would rank otherwise without a word."""
    meta = json.loads((copy / "scopes" / "meta.json").read_text())
    (copy / "scopes" / "meta.json").write_text(json.dumps(meta | {"segments": []}))
    redescribe(copy, "scopes/meta.json")
    assert "scopes, saw 0" in refusal(copy).message


def test_a_missing_and_an_extra_file(copy):
    """A file too few or too many is damage."""
    (copy / "extra.bin").write_bytes(b"")
    assert "extra.bin" in refusal(copy).message
    (copy / "extra.bin").unlink()
    (copy / "meta.json").unlink()
    assert "meta.json" in refusal(copy).message


def test_what_tantivy_cannot_open_is_refused(copy):
    """If the manifest agrees with broken files, tantivy's own refusal is translated."""
    (copy / "meta.json").write_text("{}")
    redescribe(copy, "meta.json")
    assert "tantivy could not open" in refusal(copy).message


def test_panics_are_translated_and_interrupts_are_not():
    """Panics of tantivy, which ``except Exception`` misses, become errors; Ctrl-C stays Ctrl-C."""

    class Panic(BaseException):
        pass

    with pytest.raises(EngineError, match="could not dance: boom"), store.guarded("dance"):
        raise Panic("boom")
    with pytest.raises(IndexRefused, match="Panic"), store.guarded("open", opening=True):
        raise Panic
    for passing in (KeyboardInterrupt, SystemExit):
        with pytest.raises(passing), store.guarded("dance"):
            raise passing


def test_a_panic_while_searching_is_an_engine_error(index_directory, monkeypatch):
    """A panic in the middle of a search reaches the caller as an engine error."""

    class Panicking:
        def search(self, *_arguments, **_named):
            raise type("PanicException", (BaseException,), {})("index out of bounds")

    opened = open_index(index_directory)
    monkeypatch.setattr(opened, "_chunks", Panicking())
    with pytest.raises(EngineError, match="index out of bounds"):
        opened.search("x")


def test_schema_description_names_every_field():
    """The description that is compared covers the schemas that are built."""
    described = set(store.schema_description())
    document = tantivy.Document()
    for name in described - {"start_line", "end_line", "scope", "text", "scopes.words"}:
        document.add_text(name, "x")
    index = tantivy.Index(store.chunk_schema())
    index.writer(15_000_000, 1).add_document(document)
