"""The command line in process."""

import json
import sys

import pytest

from lens_core.engine import cli


def test_index_then_search_as_text(source_tree, tmp_path, capsys):
    """An index is made, and searched, and both say what they did."""
    assert cli.main(["index", str(source_tree), "--out", str(tmp_path / "ix")]) == 0
    assert "chunks of 5 files" in capsys.readouterr().out
    assert cli.main(["search", "getUserName", "--index", str(tmp_path / "ix")]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "web/client.ts:13-16  method  getUserName"
    assert last == "2 of 2"


def test_the_default_place_is_hidden_in_the_tree(make_tree, tmp_path, capsys):
    """Without --out the index lies in a hidden directory, which is not indexed the next time."""
    make_tree(tmp_path, {"a.py": "x = 1\n", "b.txt": "x"})
    for _ in range(2):
        assert cli.main(["index", str(tmp_path), "--json"]) == 0
        body = json.loads(capsys.readouterr().out)
        assert body["file_count"] == 1
        assert body["index"] == str(tmp_path / ".lens-index")
        assert "files" not in body


def test_search_as_json(index_directory, capsys):
    """JSON on the command line is the JSON of the service."""
    assert cli.main(["search", "user", "--index", str(index_directory), "--json", "--limit", "1", "--symbols"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert set(body) == {"query", "total", "limit", "offset", "hits"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["search", "x", "--index", "absent"], 5, "expected an index directory"),
        (["index", "absent"], 2, "expected a directory"),
        (["--nonsense"], 2, "nonsense"),
        (["serve", "--index", "absent"], 5, "hint: build the index"),
        (["search", "x", "--index", "INDEX", "--limit", "0"], 2, "expected a limit"),
        (["serve", "--index", "INDEX", "--host", "no.such.host.invalid"], 4, "cannot listen"),
    ],
)
def test_errors_have_codes_and_hints(arguments, code, words, index_directory, capsys):
    """What goes wrong ends with its own code and says so on standard error."""
    assert cli.main([argument.replace("INDEX", str(index_directory)) for argument in arguments]) == code
    assert words in capsys.readouterr().err


def test_help(capsys):
    """Help lists the three commands."""
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in ("index", "search", "serve"))


def test_progress_on_a_terminal(source_tree, tmp_path, capsys, monkeypatch):
    """On a terminal one line of progress is written over and wiped in the end."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    cli.main(["index", str(source_tree), "--out", str(tmp_path / "ix")])
    shown = capsys.readouterr().err
    assert "indexing 1: shop/cart.py" in shown
    assert shown.endswith("\r\033[K")


def test_interrupt(source_tree, tmp_path, monkeypatch):
    """Ctrl-C ends with 130 and leaves nothing."""

    def interrupt(_count, _path):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_progress", interrupt)
    assert cli.main(["index", str(source_tree), "--out", str(tmp_path / "ix")]) == 130
    assert list(tmp_path.iterdir()) == []


def test_skipped_files_are_told(make_tree, tmp_path, capsys):
    """What was passed over is told with its reason."""
    make_tree(tmp_path / "tree", {"a.py": "x = 1\n", "b.txt": "x"})
    cli.main(["index", str(tmp_path / "tree"), "--out", str(tmp_path / "ix")])
    assert "skipped 1: other language" in capsys.readouterr().out
