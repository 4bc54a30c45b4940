"""What a migration refuses, what it carries over, and what it never overwrites."""

import fcntl
import json
import os
import shutil

import pytest
import tantivy

from lens_core.engine import cli, index, manifest, migrate, store
from lens_core.engine.chunks import chunk_file
from lens_core.engine.errors import BadRequest, EngineError, IndexRefused, Unavailable
from lens_core.engine.index import build_index, document_of
from lens_core.engine.migrate import migrate_index
from lens_core.engine.search import open_index


@pytest.fixture
def old(index_directory, tmp_path):
    """A copy of an index that may be damaged."""
    return shutil.copytree(index_directory, tmp_path / "old")


@pytest.fixture
def out(tmp_path):
    """Where the new index goes."""
    return tmp_path / "new"


def edit(directory, **changes):
    """Overwrites entries of the manifest."""
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def describe_again(directory):
    """A manifest that agrees with the files as they are now, as somebody who writes in place would leave it."""
    described = manifest.read(directory)
    found = manifest.describe(
        directory, document_count=described.document_count, languages=described.languages,
        skipped=described.skipped, content_digest=described.content_digest,
    )  # fmt: skip
    manifest.write(found, directory)


def refusal(old, out):
    """The refusal that a migration must raise; nothing is at the new place, and nothing is left beside it."""
    with pytest.raises(IndexRefused) as caught:
        migrate_index(old, out)
    assert caught.value.hint
    assert not out.exists()
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []
    return caught.value


def test_a_migrated_index_answers(old, out):
    """It is whole, of today's engine, and every question finds what it found before."""
    migration = migrate_index(old, out)
    new, before = open_index(out), open_index(old)
    assert new.search("getUserName") == before.search("getUserName")
    assert new.catalogue.chunks == before.catalogue.chunks
    assert migration.manifest == new.manifest


def test_progress_tells_of_every_chunk(old, out):
    """First the files that were verified, then each chunk, then that both are equal, then that it is in place."""
    said = []
    migrate_index(old, out, lambda what, done, total: said.append((what, done, total)))
    count = open_index(out).manifest.document_count
    written = [("written", number, count) for number in range(1, count + 1)]
    files = len(manifest.read(old).files)
    assert said == [("verified", files, files), *written, ("compared", count, count), ("placed", 1, 1)]


def test_an_index_of_another_analyzer_is_migrated(make_tree, tmp_path, out, monkeypatch):
    """That is what migrating is for: the words are made anew from the stored text."""
    tree = make_tree(tmp_path / "tree", {"a.py": "def running_studies():\n    return 1\n"})
    with monkeypatch.context() as other:
        other.setattr(index, "words", lambda text: [word[::-1] for word in text.split()])
        other.setattr(manifest, "fingerprint", lambda: "sha256:other")
        build_index(tree, tmp_path / "old")
    with pytest.raises(IndexRefused, match="analyzer"):
        open_index(tmp_path / "old")
    migrate_index(tmp_path / "old", out)
    build_index(tree, tmp_path / "native")
    assert open_index(out).search("run study").total == 1
    assert open_index(out).search("run study") == open_index(tmp_path / "native").search("run study")


def test_an_index_of_nothing_is_migrated(tmp_path, out):
    """A tree without source files has an index, and so has its migration."""
    (tmp_path / "tree").mkdir()
    build_index(tmp_path / "tree", tmp_path / "old")
    assert migrate_index(tmp_path / "old", out).manifest.document_count == 0
    assert open_index(out).search("anything").total == 0


def test_an_empty_folder_may_be_filled(old, out):
    """It is as good as nothing."""
    out.mkdir()
    assert not migrate_index(old, out).already
    open_index(out)


@pytest.mark.parametrize("name", sorted(store.schema_description()))
def test_a_field_that_is_not_stored_is_named(old, out, name):
    """Without it no equal index could be made; a field that is not stored anyway does not matter."""
    schema = dict(manifest.read(old).schema)
    stored = schema.pop(name).endswith(" stored")
    edit(old, schema=schema)
    if not stored:
        migrate_index(old, out)
        return
    refused = refusal(old, out)
    assert refused.code == "schema"
    assert f"the field {name} as" in refused.message
    assert "saw none" in refused.message


def test_a_stored_field_that_nobody_knows_is_named(old, out):
    """It would be lost without a word."""
    edit(old, schema=manifest.read(old).schema | {"author": "raw stored"})
    refused = refusal(old, out)
    assert (refused.code, "author" in refused.message) == ("schema", True)


@pytest.mark.parametrize("times", [0, 2], ids=["dropped", "doubled"])
@pytest.mark.parametrize("name", ["text", "symbol", "start_line"])
def test_documents_that_are_not_what_the_manifest_says_are_refused(make_tree, tmp_path, monkeypatch, name, times):
    """The manifest promises the field, and the documents do not have it, or have two."""

    def crooked(chunk):
        made = tantivy.Document()
        add = {"text": made.add_bytes, "scope": made.add_bytes} | dict.fromkeys(
            ("start_line", "end_line"), made.add_integer
        )
        for field, [value] in document_of(chunk).to_dict().items():
            for _ in range(times if field == name else 1):
                add.get(field, made.add_text)(field, bytes(value) if field in {"text", "scope"} else value)
        return made

    tree = make_tree(tmp_path / "tree", {"a.py": "def one():\n    return 1\n"})
    with monkeypatch.context() as other:
        other.setattr(index, "document_of", crooked)
        build_index(tree, tmp_path / "old")
    refused = refusal(tmp_path / "old", tmp_path / "new")
    assert refused.code == "schema"
    assert f"document 0: expected the stored field {name} once, saw it {times}×" in refused.message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"index_format": 2}, "newer"),
        ({"index_format": 0}, "older"),
        ({"document_count": 1}, "damaged"),
        ({"file_count": 1}, "damaged"),
        ({"languages": {}}, "damaged"),
        ({"files": {}}, "damaged"),
        ({"schema": {}}, "schema"),
        ({"schema": None}, "damaged"),
    ],
    ids=["newer", "older", "documents", "files", "languages", "entries", "no-schema", "schema-of-nothing"],
)
def test_a_manifest_that_does_not_fit_is_refused(old, out, changes, code):
    """Counts that do not agree, other formats, and what is no manifest."""
    edit(old, **changes)
    assert refusal(old, out).code == code


def test_every_damaged_file_is_refused(old, out):
    """One flipped byte, a missing file or a strange one, wherever it is, before anything is written."""
    for name in sorted(manifest.read(old).files):
        path = old / name
        content = path.read_bytes()
        for broken in (content[:-1] + bytes([content[-1] ^ 1]), content[:-1]):
            path.write_bytes(broken)
            assert name in refusal(old, out).message
        path.unlink()
        assert name in refusal(old, out).message
        path.write_bytes(content)
    (old / "strange.idx").write_bytes(b"x")
    assert "strange.idx" in refusal(old, out).message


def test_bytes_that_tantivy_cannot_read_are_refused(old, out):
    """Even when the manifest was written over them: what tantivy says, or throws, becomes a refusal."""
    [documents] = old.glob("*.store")
    content = documents.read_bytes()
    documents.write_bytes(content[: len(content) // 3][::-1] + content[len(content) // 3 :])
    describe_again(old)
    assert refusal(old, out).code == "damaged"


def test_an_index_that_was_written_to_in_place_is_refused(old, out):
    """More than one segment has no order of documents that a native build would have."""
    writer = tantivy.Index.open(str(old)).writer(heap_size=15_000_000, num_threads=1)
    writer.add_document(document_of(chunk_file(b"def more():\n    return 1\n", "more.py")[0]))
    writer.commit()
    writer.wait_merging_threads()
    describe_again(old)
    assert "expected one segment, saw 2" in refusal(old, out).message


def test_there_is_nothing_to_migrate(tmp_path, out, source_tree):
    """A place without an index says so."""
    assert refusal(tmp_path / "absent", out).code == "missing"
    assert refusal(source_tree, out).code == "foreign"


def test_what_is_there_is_never_overwritten(old, out, make_tree, tmp_path):
    """Another index, a damaged one, a folder with files, or a file: each stays as it is."""
    make_tree(out, {"a.txt": "mine"})
    with pytest.raises(BadRequest, match="saw something else"):
        migrate_index(old, out)
    assert [path.name for path in out.iterdir()] == ["a.txt"]
    shutil.rmtree(out)
    out.write_text("mine")
    with pytest.raises(BadRequest, match="saw something else"):
        migrate_index(old, out)
    assert out.read_text() == "mine"
    out.unlink()
    build_index(make_tree(tmp_path / "tree", {"a.py": "x = 1\n"}), out)
    with pytest.raises(BadRequest, match="saw another index"):
        migrate_index(old, out)
    assert open_index(out).manifest.document_count == 1


def test_the_same_chunks_of_another_source_are_another_index(old, out):
    """A manifest that tells of other files is not this migration, though every document is equal."""
    migrate_index(old, out)
    edit(out, content_digest="sha256:" + "0" * 64)
    with pytest.raises(BadRequest, match="saw another index"):
        migrate_index(old, out)


@pytest.mark.parametrize("place", ["old", "old/new", "."])
def test_old_and_new_stand_apart(old, tmp_path, place):
    """A new index inside the old one would change it, and the other way round would replace it."""
    with pytest.raises(BadRequest, match="apart"):
        migrate_index(old, tmp_path / place)
    open_index(old)


def test_two_migrations_to_one_place_do_not_meet(old, out):
    """The second is told to wait; it takes nothing away from the first."""
    bench = out.with_name(".new.migrating")
    (bench / "new").mkdir(parents=True)
    handle = os.open(bench, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(Unavailable, match="another migration works"):
        migrate_index(old, out)
    assert (bench / "new").is_dir()
    os.close(handle)
    assert migrate_index(old, out).restarted


def test_a_disk_that_fails_is_unavailable(old, tmp_path):
    """A file where a folder should be, as a stand-in for a full disk."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot migrate"):
        migrate_index(old, tmp_path / "file" / "new")


def test_an_index_that_came_out_otherwise_is_not_put_in_place(old, out, monkeypatch):
    """What was written is read back and compared before anybody can open it."""
    written = migrate.write_chunks

    def losing(new, chunks):
        every = list(chunks)
        return written(new, [*every[:-1], every[0]])

    monkeypatch.setattr(migrate, "write_chunks", losing)
    with pytest.raises(EngineError, match="expected the contents"):
        migrate_index(old, out)
    assert not out.exists()


def test_the_command_refuses_with_the_code_of_the_reason(old, out, tmp_path, capsys):
    """5 for an index that cannot be migrated, 2 for a place that is taken."""
    assert cli.main(["migrate", str(old / "scopes"), "--out", str(out)]) == 5
    assert "manifest.json" in capsys.readouterr().err
    assert cli.main(["migrate", str(old), "--out", str(old)]) == 2
    assert "apart" in capsys.readouterr().err
