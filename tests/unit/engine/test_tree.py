"""Which files are read, and the digest of them all."""

import hashlib

import pytest

from lens_core.engine.errors import BadRequest
from lens_core.engine.tree import MAX_FILE_BYTES, Skipped, content_digest, source_files


def test_skipped_files_are_counted_by_reason(tmp_path):
    """Every file that is passed over is counted with its reason, and none of them is read."""
    (tmp_path / "ok.py").write_text("a = 1")
    (tmp_path / "big.py").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    (tmp_path / "binary.py").write_bytes(b"a\0b")
    (tmp_path / "latin.py").write_bytes(b"# \xe9")
    (tmp_path / "link.py").symlink_to(tmp_path / "ok.py")
    (tmp_path / "notes.md").write_text("# hi")
    (tmp_path / "broken.py").symlink_to(tmp_path / "absent.py")
    for hidden in (".git", "node_modules", "__pycache__"):
        (tmp_path / hidden).mkdir()
        (tmp_path / hidden / "a.py").write_text("a = 1")
    skipped = Skipped()
    assert [source.path for source in source_files(tmp_path, skipped)] == ["ok.py"]
    assert dict(skipped.reasons) == {
        "too_big": 1,
        "binary": 1,
        "not_utf8": 1,
        "symlink": 2,
        "other_language": 1,
    }


def test_linked_directories_are_not_entered(tmp_path):
    """A symbolic link to a directory is not followed, so no loop can catch the walk."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.py").write_text("a = 1")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert [source.path for source in source_files(tmp_path, Skipped())] == ["a/x.py"]


def test_names_that_are_no_utf8_are_skipped(tmp_path):
    """A file name that is no UTF-8 cannot be named in an answer."""
    (tmp_path / b"\xff.py".decode("utf-8", "surrogateescape")).write_text("a = 1")
    skipped = Skipped()
    assert list(source_files(tmp_path, skipped)) == []
    assert dict(skipped.reasons) == {"not_utf8": 1}


def test_unreadable_files_are_counted(tmp_path, monkeypatch):
    """A file that vanishes or cannot be read is counted, not fatal."""
    (tmp_path / "a.py").write_text("a = 1")

    def fail(_path):
        raise OSError("gone")

    monkeypatch.setattr("pathlib.Path.read_bytes", fail)
    skipped = Skipped()
    assert list(source_files(tmp_path, skipped)) == []
    assert dict(skipped.reasons) == {"unreadable": 1}


def test_a_missing_directory_is_refused(tmp_path):
    """Nothing is not an empty tree."""
    with pytest.raises(BadRequest, match="expected a directory"):
        list(source_files(tmp_path / "absent", Skipped()))


def test_content_digest_is_as_documented():
    """The digest is sha256 over path, NUL, sha256 and newline, sorted by path, whatever order they come in."""
    one, two = hashlib.sha256(b"1").hexdigest(), hashlib.sha256(b"2").hexdigest()
    expected = "sha256:" + hashlib.sha256(f"a/b.py\0{one}\nz.py\0{two}\n".encode()).hexdigest()
    assert content_digest([("z.py", two), ("a/b.py", one)]) == expected
