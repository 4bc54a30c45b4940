"""Reading an image's files out of a layout: what is there, and which images are refused."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.sample_image import ELF, Layer, Node, link, tar_bytes, write_layout
from lens_core.adapters import image_files
from lens_core.adapters.image_files import ImageFiles, Limits
from lens_core.errors import IntegrityError, InvalidInput, LensError, Unavailable
from lens_core.supply.rootfs import Kind, RootFs

HELLO = Node(b"hello", 0o644)


def rootfs(folder: Path, *layers: Layer | bytes, limits: Limits | None = None) -> RootFs:
    """What a layout of these layers holds."""
    write_layout(folder, layers)
    return ImageFiles(folder, limits=limits).rootfs()


def blob(folder: Path, index: int) -> Path:
    """The blob of a layer."""
    document = json.loads((folder / "index.json").read_text())
    manifest = folder / "blobs/sha256" / document["manifests"][0]["digest"].removeprefix("sha256:")
    return folder / "blobs/sha256" / json.loads(manifest.read_text())["layers"][index]["digest"].removeprefix("sha256:")


def test_files_come_with_digests_modes_and_kinds(tmp_path: Path) -> None:
    """Every member is described: digests and size of files, links' targets, programs, capabilities."""
    program = Node(ELF, 0o4755, xattrs={"security.capability": "x"})
    seen = rootfs(
        tmp_path, [("./a/x", HELLO), ("a/l", link("x")), ("a/p", program), ("dev/n", Node(kind=tarfile.CHRTYPE))]
    )
    file = seen.entries["a/x"]
    # pragma: allowlist nextline secret (an MD5)
    assert (file.sha256, file.md5) == (hashlib.sha256(b"hello").hexdigest(), "5d41402abc4b2a76b9719d911017c592")
    assert (file.kind, file.size, file.mode) == (Kind.FILE, 5, 0o644)
    assert seen.entries["a/l"].target == "x"
    assert (seen.entries["a/p"].elf, seen.entries["a/p"].mode) == (True, 0o4755)
    assert seen.entries["a/p"].xattrs == ("security.capability",)
    assert [oddity.path for oddity in seen.oddities] == ["dev/n"]


def test_only_records_are_kept(tmp_path: Path) -> None:
    """What packages say of themselves can be read, other contents are hashed and forgotten."""
    seen = rootfs(tmp_path, [("usr/lib/os-release", HELLO), ("a/x", Node(b"other"))])
    assert (seen.read("usr/lib/os-release"), seen.read("a/x")) == (b"hello", None)


def test_image_digest_and_architecture_are_told(tmp_path: Path) -> None:
    """The file system says which manifest it belongs to."""
    digest = write_layout(tmp_path, [[("a", HELLO)]])
    seen = ImageFiles(tmp_path, digest).rootfs()
    assert (seen.image, seen.architecture) == (digest, "amd64")


def test_hard_link_to_a_lower_layer(tmp_path: Path) -> None:
    """A hard link to a file of a layer below has that file's content."""
    seen = rootfs(tmp_path, [("a/x", HELLO)], [("b", Node(target="a/x", kind=tarfile.LNKTYPE))])
    assert seen.entries["b"].sha256 == seen.entries["a/x"].sha256


def test_odd_names_are_told(tmp_path: Path) -> None:
    """A name that is no UTF-8, or holds a line break, is read and remembered."""
    seen = rootfs(tmp_path, [("a\udcff", HELLO), ("b\nc", HELLO), ("ü", HELLO)])
    assert [oddity.path for oddity in seen.oddities] == ["a\udcff", "b\nc"]
    assert len(list(seen.files())) == 3


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a//b", "a/./b", "/".join("a" * 101), "x" * 4097])
def test_names_that_are_no_place_inside_are_refused(tmp_path: Path, name: str) -> None:
    """A member that climbs out, starts at the root or is absurdly deep is refused."""
    with pytest.raises(IntegrityError, match="place inside"):
        rootfs(tmp_path, tar_bytes([(name, HELLO)]))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    """An image with more members than allowed is refused."""
    with pytest.raises(IntegrityError, match="more than 2 members"):
        rootfs(tmp_path, tar_bytes([(str(n), HELLO) for n in range(3)]), limits=Limits(members=2))


def test_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A layer that unpacks to more than allowed is refused at that point."""
    with pytest.raises(IntegrityError, match="unpacks to more"):
        rootfs(tmp_path, [("a", Node(bytes(8 * 1024**2)))], limits=Limits(bytes=2 * 1024**2))


def test_giant_header_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header is held in memory by the reader, and so may not be as large as it says."""
    monkeypatch.setattr(image_files, "MAX_HEADER_BYTES", 2 * 1024**2)
    node = Node(b"x", xattrs={"user.big": "x" * (6 * 1024**2)})
    with pytest.raises(IntegrityError, match="headers"):
        rootfs(tmp_path, [("a", node)])


def test_member_behind_a_broken_header_is_refused(tmp_path: Path) -> None:
    """Python's reader ends in silence at a header that it cannot read: what comes behind it is not let be."""
    tar = tar_bytes([("a", HELLO), ("b", HELLO)])
    broken = tar[:1024] + b"\xff" * 8 + tar[1032:]
    with pytest.raises(IntegrityError, match="more after its end"):
        rootfs(tmp_path, broken)


def test_member_behind_the_end_is_refused(tmp_path: Path) -> None:
    """A second archive behind the first one's end is refused."""
    with pytest.raises(IntegrityError, match="more after its end"):
        rootfs(tmp_path, tar_bytes([("a", HELLO)]) + tar_bytes([("b", HELLO)]))


def test_global_header_is_refused(tmp_path: Path) -> None:
    """A global header that names members is obeyed by Python and not by the engine: refused."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"path": "harmless"}) as tar:
        tar.addfile(tarfile.TarInfo("implant"), io.BytesIO())
    with pytest.raises(IntegrityError, match="global header"):
        rootfs(tmp_path, out.getvalue())


def test_truncated_and_lengthened_gzip_are_refused(tmp_path: Path) -> None:
    """Half a layer, and one with a second gzip member, are refused though their digests are stated rightly."""
    tar = tar_bytes([("a", HELLO)])
    for packed in (gzip.compress(tar, mtime=0)[:-9], gzip.compress(tar, mtime=0) + gzip.compress(b"more", mtime=0)):
        folder = tmp_path / str(len(packed))
        write_layout(folder, [tar])
        restate(folder, packed)
        with pytest.raises(IntegrityError, match="not a whole archive"):
            ImageFiles(folder).rootfs()


def restate(folder: Path, packed: bytes) -> None:
    """Put another blob in the layer's place, with manifest and index saying so."""
    index = json.loads((folder / "index.json").read_text())
    path = folder / "blobs/sha256" / index["manifests"][0]["digest"].removeprefix("sha256:")
    manifest = json.loads(path.read_text())
    digest = hashlib.sha256(packed).hexdigest()
    (folder / "blobs/sha256" / digest).write_bytes(packed)
    manifest["layers"][0].update(digest=f"sha256:{digest}", size=len(packed))
    content = json.dumps(manifest).encode()
    digest = hashlib.sha256(content).hexdigest()
    (folder / "blobs/sha256" / digest).write_bytes(content)
    index["manifests"][0].update(digest=f"sha256:{digest}", size=len(content))
    (folder / "index.json").write_text(json.dumps(index))


def test_layer_that_is_not_the_configured_one_is_refused(tmp_path: Path) -> None:
    """A layer whose content has another diff_id than the configuration says is refused."""
    write_layout(tmp_path, [[("a", HELLO)]])
    restate(tmp_path, gzip.compress(tar_bytes([("b", HELLO)]), mtime=0))
    with pytest.raises(IntegrityError, match="diff_id"):
        ImageFiles(tmp_path).rootfs()


@pytest.mark.parametrize("edit", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b[:9] + bytes([b[9] ^ 1]) + b[10:]])
def test_changed_blob_is_refused(tmp_path: Path, edit: Callable[[bytes], bytes]) -> None:
    """A blob that lost, gained or changed a byte is refused and named."""
    write_layout(tmp_path, [[("a", HELLO)]])
    path = blob(tmp_path, 0)
    path.write_bytes(edit(path.read_bytes()))
    with pytest.raises(IntegrityError, match=path.name[:12]):
        ImageFiles(tmp_path).rootfs()


def test_absent_blob_is_unavailable(tmp_path: Path) -> None:
    """A blob that is not there can be copied again: Unavailable."""
    write_layout(tmp_path, [[("a", HELLO)]])
    blob(tmp_path, 0).unlink()
    with pytest.raises(Unavailable, match="cannot be read"):
        ImageFiles(tmp_path).rootfs()


def _index(edit: Callable[[Any], object]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        document = json.loads((folder / "index.json").read_text())
        edit(document["manifests"])
        (folder / "index.json").write_text(json.dumps(document))

    return change


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda folder: (folder / "index.json").unlink(), InvalidInput),
        (lambda folder: (folder / "index.json").write_text("[]"), IntegrityError),
        (_index(lambda listed: listed.clear()), InvalidInput),
        (_index(lambda listed: listed.append(listed[0])), InvalidInput),
        (_index(lambda listed: listed[0].update(mediaType="application/vnd.oci.image.index.v1+json")), InvalidInput),
        (_index(lambda listed: listed[0].update(digest="sha256:../../../etc/passwd")), IntegrityError),
        (_index(lambda listed: listed[0].pop("size")), IntegrityError),
        (_index(lambda listed: listed[0].update(size=10**9)), IntegrityError),
        (_index(lambda listed: listed[0].update(size=listed[0]["size"] + 1)), IntegrityError),
    ],
)
def test_layouts_that_are_none_are_refused(
    tmp_path: Path, change: Callable[[Path], None], error: type[LensError]
) -> None:
    """No index, an empty or ambiguous one, and descriptors that describe nothing are errors that say so."""
    write_layout(tmp_path, [[("a", HELLO)]])
    change(tmp_path)
    with pytest.raises(error, match="expected"):
        ImageFiles(tmp_path).rootfs()
