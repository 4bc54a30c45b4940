"""Building: all or nothing, reproducible, described."""

import hashlib
import json

import pytest
import tantivy

from lens_core.engine import index as building
from lens_core.engine import manifest
from lens_core.engine.errors import BadRequest, EngineError, Unavailable
from lens_core.engine.index import build_index, expect_one_segment, scope_key
from lens_core.engine.search import open_index


def test_the_manifest_describes_the_tree(index_directory, source_tree):
    """Files, languages and the content digest in the manifest are those of the tree."""
    described = manifest.read(index_directory)
    assert described.languages == {"javascript": 1, "python": 2, "svelte": 1, "typescript": 1}
    assert described.file_count == 5
    lines = "".join(
        f"{path.relative_to(source_tree).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in sorted(source_tree.rglob("*.*"))
    )
    assert described.content_digest == "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
    assert described.tantivy_version.split(".")[0].isdigit()


def test_two_builds_answer_alike(source_tree, tmp_path):
    """The same tree indexed twice gives the same hits with the same scores."""
    answers = []
    for name in ("a", "b"):
        build_index(source_tree, tmp_path / name)
        opened = open_index(tmp_path / name)
        answers.append([opened.search(query, limit=50).hits for query in ("user name", "item", "get", '"("')])
    assert answers[0] == answers[1]


def test_progress_is_told_for_each_file(source_tree, tmp_path):
    """Progress counts every file once."""
    seen = []
    build_index(source_tree, tmp_path / "out", lambda count, path: seen.append((count, path)))
    assert [count for count, _ in seen] == [1, 2, 3, 4, 5]
    assert seen[0][1] == "shop/cart.py"


def test_an_interrupt_leaves_the_old_index_and_nothing_else(source_tree, tmp_path):
    """Ctrl-C in the middle leaves the index that was there, and no half one beside it."""
    out = tmp_path / "index"
    build_index(source_tree, out)
    before = (out / "manifest.json").read_bytes()

    def interrupt(_count, _path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(source_tree, out, interrupt)
    assert (out / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_rebuild_replaces_the_index(source_tree, make_tree, tmp_path):
    """Indexing again into the same place answers from the new tree only."""
    out = tmp_path / "index"
    build_index(source_tree, out)
    build_index(make_tree(tmp_path / "other", {"only.py": "def lonely():\n    pass\n"}), out)
    opened = open_index(out)
    assert opened.search("lonely").total == 1
    assert opened.search("getUserName").total == 0


def test_something_else_is_never_overwritten(source_tree, tmp_path):
    """A directory that is no index, or a file, is refused as a place for one."""
    (tmp_path / "thesis.txt").write_text("years of work")
    for target in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(BadRequest, match="something else"):
            build_index(source_tree, target)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_missing_source_is_refused(tmp_path):
    """There is no index of nothing."""
    with pytest.raises(BadRequest, match="expected a directory"):
        build_index(tmp_path / "absent", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_empty_tree_gives_an_empty_index(tmp_path):
    """A tree without sources can be indexed, and finds nothing."""
    (tmp_path / "tree").mkdir()
    build_index(tmp_path / "tree", tmp_path / "out")
    opened = open_index(tmp_path / "out")
    for query in ("anything", "several words here", '"x"', '"xyz"', "+"):
        assert opened.search(query).total == 0


def test_a_failing_disk_is_unavailable(source_tree, tmp_path, monkeypatch):
    """A full disk is the world's failure, with a hint."""

    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(building, "_put_in_place", fail)
    with pytest.raises(Unavailable, match="No space left"):
        build_index(source_tree, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_more_than_one_segment_is_refused():
    """An index that ties cannot be reproduced in is not handed out."""
    expect_one_segment(0, "the chunks")
    with pytest.raises(EngineError, match="expected one segment for the chunks, saw 2"):
        expect_one_segment(2, "the chunks")


def test_everything_for_a_migration_is_stored(index_directory):
    """Path, lines, symbol, kind, language, scope and text can be read back from the documents alone."""
    searcher = tantivy.Index.open(str(index_directory)).searcher()
    stored = [searcher.doc(tantivy.DocAddress(0, n)).to_dict() for n in range(searcher.num_docs)]
    (method,) = [document for document in stored if document["symbol"] == ["getUserName"]]
    assert (method["path"], method["kind"], method["language"]) == (["web/client.ts"], ["method"], ["typescript"])
    assert (method["start_line"], method["end_line"]) == ([13], [16])
    assert bytes(method["scope"][0]) == b"HttpClient"
    assert b"this.cache.get(key)" in bytes(method["text"][0])


@pytest.mark.parametrize(
    ("parents", "symbol", "kind", "expected"),
    [
        ((), "A", "class", ("p", "A")),
        (("A",), "f", "method", ("p", "A")),
        (("A", "B"), "f", "method", ("p", "A")),
        ((), "f", "function", ("p", "")),
        ((), "", "block", ("p", "")),
    ],
)
def test_scopes(parents, symbol, kind, expected):
    """A scope is a top-level type, or the rest of its file."""
    assert scope_key("p", parents, symbol, kind) == expected


def test_manifest_is_plain_json(index_directory):
    """The manifest can be read by anybody."""
    data = json.loads((index_directory / "manifest.json").read_text())
    assert data["index_format"] == 1
    assert all(entry["size_bytes"] >= 0 for entry in data["files"].values())
