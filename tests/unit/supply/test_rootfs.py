"""What is at a path after layers are applied one over the other."""

import pytest

from lens_core.errors import IntegrityError
from lens_core.supply.rootfs import Assembly, Entry, Kind, RootFs


def file(path: str, digest: str = "a") -> Entry:
    """A file whose digest is one letter."""
    return Entry(path, Kind.FILE, 0o644, 1, digest * 64, digest * 32)


def folder(path: str) -> Entry:
    """A folder."""
    return Entry(path, Kind.FOLDER)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, Kind.LINK, 0o777, target=target)


def built(*layers: list[Entry]) -> RootFs:
    """The file system of these layers."""
    assembly = Assembly()
    for layer in layers:
        assembly.begin_layer()
        for entry in layer:
            assembly.add(entry)
    return assembly.finish()


def paths(rootfs: RootFs) -> list[str]:
    """The paths of all files."""
    return [entry.path for entry in rootfs.files()]


def test_upper_layer_wins() -> None:
    """A file of a later layer takes the place of an earlier one."""
    assert built([file("a/x", "a")], [file("a/x", "b")]).entries["a/x"].sha256 == "b" * 64


def test_whiteout_removes_a_file_of_a_lower_layer() -> None:
    """A whiteout takes away what is below, and leaves its neighbours."""
    assert paths(built([file("a/x"), file("a/y")], [file("a/.wh.x")])) == ["a/y"]


def test_whiteout_removes_a_folder_with_all_in_it() -> None:
    """A whiteout of a folder takes its subtree along."""
    assert paths(built([file("a/b/c/x"), file("z")], [file("a/.wh.b")])) == ["z"]


@pytest.mark.parametrize("order", [1, -1])
def test_whiteout_leaves_its_own_layer_alone(order: int) -> None:
    """What a layer removes and adds again is there, in whichever order it says so; and it is odd to say so."""
    layer = [file("a/.wh.x"), file("a/x", "b")][::order]
    rootfs = built([file("a/x", "a")], layer)
    assert rootfs.entries["a/x"].sha256 == "b" * 64


def test_whiteout_after_its_own_file_is_odd() -> None:
    """A file that one layer adds and then removes is kept in mind: unpackers differ about it."""
    rootfs = built([file("a/x", "b"), file("a/.wh.x")])
    assert [(oddity.path, oddity.what) for oddity in rootfs.oddities] == [("a/x", "added and removed by one layer")]


def test_opaque_folder_hides_what_is_below_it_only() -> None:
    """An opaque whiteout empties the folder of lower layers' files and keeps those of its own layer."""
    rootfs = built([file("a/x"), file("a/b/y"), file("z")], [file("a/new"), file("a/.wh..wh..opq")])
    assert paths(rootfs) == ["a/new", "z"]


def test_opaque_folder_reaches_into_folders_that_its_layer_also_has() -> None:
    """A folder that both layers have loses the lower layer's files, not the upper one's."""
    rootfs = built([file("a/b/old")], [folder("a/b"), file("a/b/new"), file("a/.wh..wh..opq")])
    assert paths(rootfs) == ["a/b/new"]


def test_file_takes_the_place_of_a_folder() -> None:
    """A file where a folder was leaves nothing of the folder."""
    assert paths(built([file("a/b/x")], [file("a/b")])) == ["a/b"]


def test_member_below_a_linked_folder_lands_where_the_link_leads() -> None:
    """A layer that writes to lib/x where lib leads to usr/lib has written usr/lib/x."""
    rootfs = built([link("lib", "usr/lib"), file("usr/lib/x", "a")], [file("lib/x", "b"), file("lib/.wh.y")])
    assert paths(rootfs) == ["usr/lib/x"]
    assert rootfs.entries["usr/lib/x"].sha256 == "b" * 64


def test_whiteout_follows_linked_folders() -> None:
    """A whiteout below a linked folder removes the file where it really is."""
    assert paths(built([link("lib", "/usr/lib"), file("usr/lib/x")], [file("lib/.wh.x")])) == []


def test_links_never_lead_out_of_the_root() -> None:
    """A link that climbs above the root ends in the root."""
    rootfs = built([link("a/b", "../../../etc"), file("etc/x")])
    assert rootfs.resolve("a/b/x") == "etc/x"


def test_links_in_circles_lead_nowhere() -> None:
    """A loop is None, not an endless walk, and no member may lie behind it."""
    rootfs = built([link("a", "b"), link("b", "a")])
    assert rootfs.resolve("a") is None
    with pytest.raises(IntegrityError, match="circles"):
        built([link("a", "b"), link("b", "a"), file("a/x")])


def test_canonical_leaves_the_last_part_alone() -> None:
    """The canonical path of a link is the link's own, with its folders followed."""
    rootfs = built([link("lib", "usr/lib"), link("usr/lib/x", "y"), file("usr/lib/y")])
    assert (rootfs.canonical("lib/x"), rootfs.resolve("lib/x")) == ("usr/lib/x", "usr/lib/y")


def test_hard_link_is_another_name_of_the_same_content() -> None:
    """A hard link has its target's digest, also of a lower layer."""
    assembly = Assembly()
    assembly.begin_layer()
    assembly.add(file("a/x", "c"))
    assembly.begin_layer()
    assembly.hardlink("b/y", "a/x", 0o644)
    assert assembly.finish().entries["b/y"].sha256 == "c" * 64


@pytest.mark.parametrize("target", ["a/none", "a"])
def test_hard_link_to_no_file_is_refused(target: str) -> None:
    """A hard link to nothing or to a folder is refused: unpackers differ about it."""
    assembly = Assembly()
    assembly.begin_layer()
    assembly.add(file("a/x"))
    with pytest.raises(IntegrityError, match="hard link"):
        assembly.hardlink("b", target, 0o644)


def test_path_that_comes_twice_in_a_layer_is_odd() -> None:
    """The last one wins, as for every unpacker, and it is remembered."""
    rootfs = built([file("a/x", "a"), file("a/x", "b")])
    assert rootfs.entries["a/x"].sha256 == "b" * 64
    assert [oddity.path for oddity in rootfs.oddities] == ["a/x"]


def test_file_and_folder_at_once_are_refused() -> None:
    """A member below a file is refused."""
    with pytest.raises(IntegrityError, match="folder"):
        built([file("a"), file("a/x")])


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_whiteout_of_nothing_is_refused(name: str) -> None:
    """A whiteout that names no file is refused."""
    with pytest.raises(IntegrityError, match="whiteout"):
        built([file(f"a/{name}")])
