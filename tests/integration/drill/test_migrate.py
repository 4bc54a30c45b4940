"""Indexes that previous versions really wrote, migrated: equal to native ones, and safe to interrupt."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lens_core.adapters.previous_indexes import ArchivedIndex, unpack_archived
from lens_core.drills.previous import parse_previous
from lens_core.engine import cli
from lens_core.engine.index import build_index
from lens_core.engine.migrate import migrate_index
from lens_core.engine.search import CodeIndex, Filters, open_index
from tests.places import PROJECT

FOLDER = PROJECT / "data" / "previous"
KNOWN = parse_previous((FOLDER / "versions.toml").read_text(encoding="utf-8"))
CARRIED = ("document_count", "file_count", "languages", "skipped", "content_digest")


@pytest.fixture(scope="module", params=KNOWN, ids=lambda previous: previous.tag)
def archived(request, tmp_path_factory) -> ArchivedIndex:
    """What a previous version left: its index, the tree that it is of, its questions and answers."""
    return unpack_archived(FOLDER, request.param, tmp_path_factory.mktemp("archived") / request.param.tag)


@pytest.fixture(scope="module")
def oldest(tmp_path_factory) -> ArchivedIndex:
    """The same of the oldest version."""
    return unpack_archived(FOLDER, KNOWN[0], tmp_path_factory.mktemp("oldest") / "archived")


def bytes_of(folder: Path) -> dict[str, str]:
    """Every path below a folder, with the digest of the bytes of a file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def answers(index: CodeIndex, golden: dict) -> list[dict]:
    """The pages of all golden questions, with every hit's rank, place and score."""
    pages = [
        index.search(asked["query"], limit=asked["limit"], offset=asked["offset"],
                     filters=Filters(asked["language"], asked["symbols"], asked["glob"]))
        for asked in golden["questions"]
    ]  # fmt: skip
    return [
        {
            "total": page.total,
            "hits": [
                [hit.path, hit.start_line, hit.end_line, hit.symbol, hit.kind, hit.language, hit.score]
                for hit in page.hits
            ],
        }
        for page in pages
    ]


def test_a_migrated_index_equals_a_native_one(archived, tmp_path):
    """Same answers to all golden questions, same chunks, same counts, languages and digest of the source."""
    before = bytes_of(archived.index)
    migration = migrate_index(archived.index, tmp_path / "new")
    build_index(archived.tree, tmp_path / "native")
    migrated, native = open_index(tmp_path / "new"), open_index(tmp_path / "native")
    golden = json.loads(archived.golden.read_text(encoding="utf-8"))
    assert answers(migrated, golden) == answers(native, golden)
    assert sum(bool(page["hits"]) for page in answers(migrated, golden)) >= 70
    assert migrated.catalogue.chunks == native.catalogue.chunks
    for name in CARRIED:
        assert getattr(migrated.manifest, name) == getattr(native.manifest, name), name
    assert bytes_of(archived.index) == before
    assert (migration.already, migration.restarted) == (False, False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["native", "new"]


def test_nothing_is_put_into_the_old_index(oldest, tmp_path):
    """Not even a lock file: no moment of change of its folders and files moves, so it may lie on a read-only disk."""
    old = tmp_path / "old"
    shutil.copytree(oldest.index, old)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [old, *old.rglob("*")]}
    migrate_index(old, tmp_path / "new")
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [old, *old.rglob("*")]} == before


def test_a_migration_that_was_done_before_is_confirmed(oldest, tmp_path):
    """Calling it again changes nothing, and says that it was done."""
    first = migrate_index(oldest.index, tmp_path / "new")
    before = bytes_of(tmp_path / "new")
    again = migrate_index(oldest.index, tmp_path / "new")
    assert again.already
    assert (again.contents, again.manifest) == (first.contents, first.manifest)
    assert bytes_of(tmp_path / "new").items() >= before.items()


def test_a_migration_that_is_killed_leaves_the_old_index_and_can_be_called_again(oldest, tmp_path):
    """At 20 points: nothing at the new place looks whole before it is, and the next call completes it."""
    script = Path(__file__).with_name("dying_migrations.py")
    command = [sys.executable, str(script), str(oldest.index), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = {line["point"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert len(seen) == 20
    contents = migrate_index(oldest.index, tmp_path / "contents").contents
    for point, line in seen.items():
        placed = point == "placed 1"
        assert line["signal"] == 9, point
        assert line["old_untouched"], point
        assert line["old_still_untouched"], point
        assert line["refusal"] == ("" if placed else "missing"), point
        assert line["already"] == placed, point
        assert line["restarted"] == (point != "verified 16"), point
        assert line["answers"], point
        assert line["contents"] == contents, point
        assert line["leftovers"] == [], point


def test_the_command_says_what_it_did(archived, tmp_path, capsys):
    """In words and in JSON; the second time, that it had been done."""
    out = tmp_path / "new"
    assert cli.main(["migrate", str(archived.index), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "271 chunks of 28 files" in said
    assert "every stored field is equal: sha256:" in said
    assert cli.main(["migrate", str(archived.index), "--out", str(out), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["already"] is True
    assert body["from_version"] in said
    assert body["from_tantivy"] in said
    assert body["contents"] in said
    assert body["document_count"] == 271
    assert "files" not in body
