"""What is taken out of an archive, and which archives are refused as a whole."""

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from lens_core.adapters import archives
from lens_core.adapters.archives import unpack
from lens_core.errors import IntegrityError


def tar_file(path: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """A gzipped tar file with these members."""
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def plain(name: str, content: bytes = b"x = 1\n") -> tuple[tarfile.TarInfo, bytes]:
    """An ordinary member."""
    return tarfile.TarInfo(name), content


def special(name: str, kind: bytes, target: str = "package/a.py") -> tuple[tarfile.TarInfo, bytes]:
    """A member that is a link or a device."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def wheel(path: Path, members: Sequence[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    """A zip file with these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def everything(_: str) -> bool:
    """Want each member."""
    return True


def files_below(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tar_loses_its_top_folder(tmp_path: Path) -> None:
    """A tarball's one top folder is dropped, and only what is wanted is written."""
    archive = tar_file(tmp_path / "a.tgz", [plain("package/src/a.py", b"A"), plain("package/README", b"no")])
    assert unpack(archive, tmp_path / "out", lambda path: path.endswith(".py")) == 1
    assert files_below(tmp_path / "out") == {"src/a.py": b"A"}


def test_wheel_keeps_its_paths(tmp_path: Path) -> None:
    """A wheel has no top folder to drop, and its folders are no files."""
    archive = wheel(tmp_path / "a.whl", [("pkg/", b""), ("pkg/a.py", b"A"), ("pkg-1.dist-info/METADATA", b"no")])
    assert unpack(archive, tmp_path / "out", lambda path: path.endswith(".py")) == 1
    assert files_below(tmp_path / "out") == {"pkg/a.py": b"A"}


@pytest.mark.parametrize(
    "name",
    ["../a.py", "package/../../a.py", "/etc/a.py", "package/..", "package\\..\\a.py", "C:/a.py", "package//a.py"],
)
def test_tar_member_outside_is_refused(tmp_path: Path, name: str) -> None:
    """A tarball with a member that names a place outside it is refused, and nothing outside is written."""
    archive = tar_file(tmp_path / "a.tgz", [plain(name)])
    with pytest.raises(IntegrityError, match="inside it"):
        unpack(archive, tmp_path / "in" / "out", everything)
    assert files_below(tmp_path).keys() == {"a.tgz"}


@pytest.mark.parametrize("name", ["../a.py", "/etc/a.py", "pkg/../../a.py", "pkg\\..\\a.py"])
def test_wheel_member_outside_is_refused(tmp_path: Path, name: str) -> None:
    """A wheel with a member that names a place outside it is refused."""
    archive = wheel(tmp_path / "a.whl", [(name, b"x")])
    with pytest.raises(IntegrityError, match="inside it"):
        unpack(archive, tmp_path / "in" / "out", everything)
    assert files_below(tmp_path).keys() == {"a.whl"}


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_tar_link_or_device_is_refused(tmp_path: Path, kind: bytes) -> None:
    """Links of both kinds, devices, pipes and files with holes are refused, wanted or not."""
    archive = tar_file(tmp_path / "a.tgz", [plain("package/a.py"), special("package/b.py", kind)])
    with pytest.raises(IntegrityError, match="link or a device"):
        unpack(archive, tmp_path / "out", lambda path: path == "a.py")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_wheel_link_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    """A wheel can carry links in its attributes; they are refused too."""
    info = zipfile.ZipInfo("pkg/a.py")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(IntegrityError, match="link or a device"):
        unpack(wheel(tmp_path / "a.whl", [(info, b"/etc/passwd")]), tmp_path / "out", everything)


def test_tar_bomb_is_refused(tmp_path: Path) -> None:
    """A small tarball that unpacks to far more than it is, is refused although no member is wanted."""
    archive = tar_file(tmp_path / "a.tgz", [plain("package/a.py", bytes(8 * 1024**2))])
    with pytest.raises(IntegrityError, match="unpacks to more"):
        unpack(archive, tmp_path / "out", lambda _: False)


def test_wheel_bomb_is_refused(tmp_path: Path) -> None:
    """A small wheel that unpacks to far more than it is, is refused before the member is read."""
    archive = wheel(tmp_path / "a.whl", [("pkg/a.py", bytes(8 * 1024**2))])
    with pytest.raises(IntegrityError, match="unpacks to more"):
        unpack(archive, tmp_path / "out", everything)


def test_oversized_header_is_refused(tmp_path: Path) -> None:
    """A header that claims a huge member is refused by the bytes that come, not trusted by the claim."""
    info = tarfile.TarInfo("package/a.py")
    info.size = 2**40
    (tmp_path / "a.tgz").write_bytes(gzip.compress(info.tobuf() + bytes(8 * 1024**2)))
    with pytest.raises(IntegrityError):
        unpack(tmp_path / "a.tgz", tmp_path / "out", lambda _: False)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of members is limited, for each costs a file."""
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    archive = tar_file(tmp_path / "a.tgz", [plain(f"package/{name}.py") for name in "abc"])
    with pytest.raises(IntegrityError, match="more than 2 members"):
        unpack(archive, tmp_path / "out", everything)


def test_second_top_folder_is_refused(tmp_path: Path) -> None:
    """A tarball with two top folders has no one place to take sources from."""
    archive = tar_file(tmp_path / "a.tgz", [plain("one/a.py"), plain("two/a.py")])
    with pytest.raises(IntegrityError, match="one top folder"):
        unpack(archive, tmp_path / "out", everything)


def test_same_name_twice_is_refused(tmp_path: Path) -> None:
    """Two members of one name are refused: readers differ in which of them they take."""
    archive = tar_file(tmp_path / "a.tgz", [plain("package/a.py", b"1"), plain("package/a.py", b"2")])
    with pytest.raises(IntegrityError, match="two members"):
        unpack(archive, tmp_path / "out", everything)


def test_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    """A member below another file is refused with an error of ours."""
    archive = tar_file(tmp_path / "a.tgz", [plain("package/a"), plain("package/a/b.py")])
    with pytest.raises(IntegrityError, match="file and a folder"):
        unpack(archive, tmp_path / "out", everything)


@pytest.mark.parametrize("name", ["a.tgz", "a.whl", "a.tar.gz"])
@pytest.mark.parametrize(
    "content", [b"", b"not an archive", gzip.compress(b"no tar" * 200)], ids=["empty", "text", "gzip"]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """Bytes that are no archive of their kind are an integrity error, not a crash."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IntegrityError, match="not a whole archive"):
        unpack(tmp_path / name, tmp_path / "out", everything)


def test_truncated_tar_is_refused(tmp_path: Path) -> None:
    """A tarball that ends in the middle of a member is refused."""
    archive = tar_file(tmp_path / "a.tgz", [plain("package/a.py", bytes(range(256)) * 4000)])
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(IntegrityError):
        unpack(archive, tmp_path / "out", everything)


def xz_file(path: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """A tar file in xz with these members."""
    with tarfile.open(path, "w:xz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_an_xz_archive_is_unpacked_as_a_gzipped_one_is(tmp_path: Path) -> None:
    """Archived indexes come so; their top folder goes, too."""
    archive = xz_file(tmp_path / "a.tar.xz", [plain("lens/index/meta.json", b"{}")])
    assert unpack(archive, tmp_path / "out", everything) == 1
    assert files_below(tmp_path / "out") == {"index/meta.json": b"{}"}


def test_a_damaged_xz_archive_is_refused(tmp_path: Path) -> None:
    """Cut short, or with a byte changed: never half of it as if it were whole."""
    archive = xz_file(tmp_path / "a.tar.xz", [plain("lens/index/a", bytes(range(256)) * 40)])
    whole = archive.read_bytes()
    for broken in (whole[:-20], whole[: len(whole) // 2], whole[:80] + bytes([whole[80] ^ 1]) + whole[81:], b""):
        archive.write_bytes(broken)
        with pytest.raises(IntegrityError, match="not a whole archive"):
            unpack(archive, tmp_path / "out", everything)


def test_an_xz_bomb_is_refused(tmp_path: Path) -> None:
    """It counts what really comes out, as with gzip."""
    archive = xz_file(tmp_path / "a.tar.xz", [plain("lens/index/a", bytes(archives.RATIO_FLOOR_BYTES + 1))])
    with pytest.raises(IntegrityError, match="unpacks to more than"):
        unpack(archive, tmp_path / "out", everything)
