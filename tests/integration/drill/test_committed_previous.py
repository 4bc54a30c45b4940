"""What is committed in ``data/previous`` is what ``versions.toml`` says, and what the commit gives."""

import hashlib
import io
import json
import subprocess
import tarfile

import pytest

from lens_core.adapters.git_source import GitSource
from lens_core.adapters.previous_indexes import unpack_archived
from lens_core.drills.previous import parse_previous, render_previous
from lens_core.drills.previous_files import engine_wheel, wheel_name
from lens_core.errors import IntegrityError
from lens_core.supply.wheel_lock import parse_lock
from tests.places import PROJECT

FOLDER = PROJECT / "data" / "previous"
TEXT = (FOLDER / "versions.toml").read_text(encoding="utf-8")
KNOWN = parse_previous(TEXT)
each = pytest.mark.parametrize("previous", KNOWN, ids=lambda previous: previous.tag)


def test_three_versions_are_registered_each_on_its_own_tantivy():
    """One before the last change of tantivy's format, two after it; the file is as it is written."""
    registered = {previous.version: previous.tantivy for previous in KNOWN}
    assert registered.items() >= {"0.9.0": "0.22.2", "0.9.1": "0.24.0", "0.9.2": "0.25.1"}.items()
    assert render_previous(KNOWN) == TEXT


@each
def test_the_files_are_those_that_are_pinned(previous):
    """Wheel, lock and archive have the digests of versions.toml, and the archive is small."""
    for name, sha256 in [
        (previous.wheel, previous.wheel_sha256),
        (previous.lock, previous.lock_sha256),
        (previous.index, previous.index_sha256),
    ]:
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == sha256, name
    assert (FOLDER / previous.index).stat().st_size < 1_500_000


@each
def test_the_wheel_is_what_its_commit_gives(previous):
    """Building it again from the commit that is recorded gives the same bytes."""
    known = subprocess.run(["git", "-C", PROJECT, "cat-file", "-e", f"{previous.commit}^{{commit}}"], check=False)
    if known.returncode:
        pytest.skip(f"this clone has no history down to {previous.commit}")
    source = GitSource(PROJECT)
    commit = source.commit(previous.commit)
    with tarfile.open(fileobj=io.BytesIO(source.archive(commit))) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}
    assert previous.wheel == wheel_name(previous.version)
    assert engine_wheel(files, previous.version, commit.epoch) == (FOLDER / previous.wheel).read_bytes()


@each
def test_a_lock_pins_the_tantivy_that_is_named(previous):
    """Every package of it is hashed, tantivy too."""
    pins = {pin.name: pin.version for pin in parse_lock((FOLDER / previous.lock).read_text(encoding="utf-8"))}
    assert pins["tantivy"] == previous.tantivy
    assert {"tree-sitter", "pystemmer", "fastapi", "uvicorn"} <= pins.keys()


@each
def test_an_archive_says_who_wrote_its_index_and_what_it_answered(previous, tmp_path):
    """The manifest names engine and tantivy, and each golden question has its answer; some find something."""
    found = unpack_archived(FOLDER, previous, tmp_path / "archived")
    manifest = json.loads((found.index / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["engine_version"], manifest["tantivy_version"]) == (previous.version, previous.tantivy)
    golden = json.loads(found.golden.read_text(encoding="utf-8"))
    assert len(golden["questions"]) == len(golden["answers"]) >= 70
    assert sum(bool(answer["hits"]) for answer in golden["answers"]) >= 70
    assert len({question["id"] for question in golden["questions"]}) == len(golden["questions"])


def test_an_archive_that_is_not_the_pinned_one_is_not_unpacked(tmp_path):
    """One bit more or less, or no file, and nothing is written."""
    [previous, *_] = KNOWN
    with pytest.raises(IntegrityError, match="saw no file"):
        unpack_archived(tmp_path, previous, tmp_path / "out")
    content = bytearray((FOLDER / previous.index).read_bytes())
    content[100] ^= 1
    (tmp_path / previous.index).write_bytes(content)
    with pytest.raises(IntegrityError, match="expected sha256"):
        unpack_archived(tmp_path, previous, tmp_path / "out")
    assert not (tmp_path / "out").exists()
