"""The wheel and the archive of a previous version, from bytes."""

import base64
import csv
import hashlib
import io
import tarfile
import zipfile

import pytest

from lens_core.drills.previous_files import engine_wheel, index_archive, wheel_name

ENGINE = b'"""The engine."""\n\nfrom typing import Final\n\n__version__: Final = "1.0.0"\n'
SOURCES = {
    "lens_core/__init__.py": b"",
    "lens_core/engine/__init__.py": ENGINE,
    "lens_core/engine/app.py": b"x = 1\n",
    "lens_core/cli.py": b"y = 1\n",
    "README.md": b"#\n",
}
EPOCH = 1_700_000_001


def members(content: bytes) -> dict[str, bytes]:
    """Every file of a wheel."""
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


def test_a_wheel_holds_the_engine_alone():
    """Nothing of the release core is in it, and its version is the one that was asked for."""
    found = members(engine_wheel(SOURCES, "0.9.0", EPOCH))
    assert [path for path in found if "dist-info" not in path] == [
        "lens_core/__init__.py", "lens_core/engine/__init__.py", "lens_core/engine/app.py",
    ]  # fmt: skip
    assert found["lens_core/engine/__init__.py"] == ENGINE.replace(b"1.0.0", b"0.9.0")
    assert wheel_name("0.9.0") == "lens_engine-0.9.0-py3-none-any.whl"


def test_the_same_sources_give_the_same_bytes():
    """In whatever order they come, and another commit's date gives others."""
    backwards = dict(reversed(SOURCES.items()))
    assert engine_wheel(SOURCES, "0.9.0", EPOCH) == engine_wheel(backwards, "0.9.0", EPOCH)
    assert engine_wheel(SOURCES, "0.9.0", EPOCH) != engine_wheel(SOURCES, "0.9.0", EPOCH + 60)


def test_a_wheel_of_long_ago_is_dated_1980():
    """Zip files know no earlier date."""
    with zipfile.ZipFile(io.BytesIO(engine_wheel(SOURCES, "0.9.0", 0))) as wheel:
        assert {info.date_time for info in wheel.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_record_names_every_file_with_its_digest():
    """As PEP 376 wants it, so that installers accept the wheel."""
    found = members(engine_wheel(SOURCES, "0.9.0", EPOCH))
    record = "lens_engine-0.9.0.dist-info/RECORD"
    rows = {path: digest for path, digest, _size in csv.reader(io.StringIO(found[record].decode()))}
    assert rows.keys() == found.keys()
    assert rows.pop(record) == ""
    for path, digest in rows.items():
        expected = base64.urlsafe_b64encode(hashlib.sha256(found[path]).digest()).rstrip(b"=").decode()
        assert digest == f"sha256={expected}", path


@pytest.mark.parametrize(
    "sources", [{}, {**SOURCES, "lens_core/engine/__init__.py": b"v = 1\n"}], ids=["none", "no-version"]
)
def test_sources_without_an_engine_make_no_wheel(sources):
    """A wheel that could not say its version would be anybody's."""
    with pytest.raises(ValueError, match="expected"):
        engine_wheel(sources, "0.9.0", EPOCH)


def test_an_archive_is_the_same_for_the_same_files():
    """Sorted, dated and owned by nobody, below one folder."""
    files = {"index/meta.json": b"{}", "golden.json": b"[]"}
    content = index_archive(files, "lens-0.9.0", EPOCH)
    assert content == index_archive(dict(reversed(files.items())), "lens-0.9.0", EPOCH)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:xz") as tar:
        seen = [(member.name, member.mtime, member.uid, member.mode) for member in tar]
    assert seen == [("lens-0.9.0/golden.json", EPOCH, 0, 0o644), ("lens-0.9.0/index/meta.json", EPOCH, 0, 0o644)]
