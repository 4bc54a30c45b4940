"""Who answers for every file of an image, and what is said when nobody does."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from lens_core.errors import InvalidInput
from lens_core.supply.declared import base_declarations
from lens_core.supply.inventory import take_inventory
from lens_core.supply.locked import Locked, LockedFile, LockedPackage, hashed
from lens_core.supply.ownership import Declared, Ownership, attribute
from lens_core.supply.rootfs import Assembly, Entry, Kind
from lens_core.supply.words import Severity

RELEASE = b'ID=debian\nVERSION_ID="12"\n'
RECORD = "var/lib/dpkg/status.d/a"
STANZA = b"Package: a\nVersion: 1\nArchitecture: amd64\n"


def file(path: str, content: bytes, mode: int = 0o644) -> Entry:
    """The entry of a file with this content."""
    plain = hashed(path, content)
    elf = content.startswith(b"\x7fELF")
    return Entry(path, Kind.FILE, mode, len(content), plain.sha256, plain.md5, elf=elf)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, Kind.LINK, 0o777, target=target)


def md5sums(files: Mapping[str, bytes]) -> bytes:
    """The md5sums of these files."""
    return "".join(f"{hashed('', content).md5}  {path}\n" for path, content in files.items()).encode()


OWNED = {"usr/lib/os-release": RELEASE, "usr/bin/a": b"\x7fELFa"}


def owned_by(
    extra: Sequence[Entry] = (),
    declared: Sequence[Declared] = (),
    locked: Locked | None = None,
    without: Sequence[str] = (),
) -> Ownership:
    """The ownership of a clean image of one deb, with entries on top and paths taken away."""
    assembly = Assembly()
    assembly.begin_layer()
    records = {RECORD: STANZA, f"{RECORD}.md5sums": md5sums(OWNED)}
    for path, content in {**OWNED, **records}.items():
        if path not in without:
            assembly.add(file(path, content), content)
    assembly.begin_layer()
    for entry in extra:
        assembly.add(entry)
    rootfs = assembly.finish("sha256:" + "0" * 64)
    return attribute(rootfs, take_inventory(rootfs), declared, locked)


def rules(ownership: Ownership) -> list[tuple[str, str]]:
    """Rule and subject of each finding that blocks."""
    return [(f.rule, f.subject) for f in ownership.findings if f.severity is Severity.HIGH]


def locked_deb(*more: LockedFile) -> Locked:
    """The archive of the one deb, with more files."""
    files = tuple(hashed(path, content, 0o644) for path, content in OWNED.items())
    return Locked((LockedPackage("deb", "a", "1", files + more, source=("a", "1")),))


@pytest.mark.parametrize("locked", [None, locked_deb()])
def test_clean_image_has_an_owner_for_every_file(locked: Locked | None) -> None:
    """Nothing is found in an untouched image, with and without its archives, and every file has its owner."""
    seen = owned_by(locked=locked)
    assert seen.findings == ()
    assert {item.owner for item in seen.files} == {"pkg:deb/debian/a@1?arch=amd64&distro=debian-12"}
    assert len(seen.files) == 4


def test_implant_is_found() -> None:
    """A file that nobody owns is a finding, and has no owner in the list."""
    seen = owned_by([file("usr/bin/b", b"x")])
    assert rules(seen) == [("unattributed-file", "usr/bin/b")]
    assert [item.path for item in seen.files if not item.owner] == ["usr/bin/b"]


def test_edit_is_found() -> None:
    """A file with another content than its owner says is a finding."""
    assert rules(owned_by([file("usr/bin/a", b"x")])) == [("edited-file", "usr/bin/a")]


def test_missing_file_is_found() -> None:
    """A file that its owner lists and that is gone is a finding."""
    assert rules(owned_by(without=["usr/bin/a"])) == [("missing-file", "usr/bin/a")]


def test_link_in_place_of_a_file_is_found() -> None:
    """A link where a package has a file is a finding, even when it leads to something that is owned."""
    assert ("replaced-file", "usr/bin/a") in rules(owned_by([link("usr/bin/a", "../lib/os-release")]))


def test_deleted_record_leaves_its_files_without_owner() -> None:
    """Without its record a package's files are nobody's."""
    seen = owned_by(without=[RECORD, f"{RECORD}.md5sums"])
    assert ("unattributed-file", "usr/bin/a") in rules(seen)


def test_declared_by_content_excuses_that_content_only() -> None:
    """A declaration with a digest excuses the file it was written for, and no other content."""
    content = b"root:x:0:0\n"
    declared = [Declared("etc/passwd", "made by hand", sha256=hashlib.sha256(content).hexdigest())]
    assert rules(owned_by([file("etc/passwd", content)], declared)) == []
    assert rules(owned_by([file("etc/passwd", b"evil")], declared)) == [("unattributed-file", "etc/passwd")]


def test_declared_by_generator_never_excuses_a_program() -> None:
    """What is generated is text: a native program under a declared name is a finding."""
    declared = [Declared("etc/*", "made at build time", generated_by="the builder")]
    assert rules(owned_by([file("etc/x", b"text")], declared)) == []
    assert rules(owned_by([file("etc/x", b"\x7fELF")], declared)) == [("unattributed-file", "etc/x")]


def test_star_stays_within_one_folder() -> None:
    """One star excuses a folder's files, and not what lies deeper; two stars do."""
    extra = [file("etc/a/b/x", b"text")]
    assert rules(owned_by(extra, [Declared("etc/a/*", "r", generated_by="g")])) == [("unattributed-file", "etc/a/b/x")]
    assert rules(owned_by(extra, [Declared("etc/a/**", "r", generated_by="g")])) == []


def test_permission_to_be_absent_excuses_nothing_that_is_there() -> None:
    """A declaration of files left out does not let others in."""
    declared = [Declared("usr/bin/*", "left out", may_be_absent=True)]
    assert rules(owned_by(declared=declared, without=["usr/bin/a"])) == []
    assert rules(owned_by([file("usr/bin/b", b"x")], declared)) == [("unattributed-file", "usr/bin/b")]


def test_unused_declaration_is_mentioned() -> None:
    """A declaration that no file needs is stale: said, but it blocks nothing."""
    seen = owned_by(declared=[Declared("etc/none", "r", generated_by="g")])
    assert [(f.rule, f.severity) for f in seen.findings] == [("unused-declaration", Severity.LOW)]


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": "r"},
        {"reason": "r", "sha256": "a" * 64, "generated_by": "g"},
        {"reason": "", "generated_by": "g"},
        {"pattern": "/**", "reason": "r", "generated_by": "g"},
    ],
)
def test_declarations_without_one_ground_are_refused(fields: Mapping[str, str]) -> None:
    """A declaration needs a pattern that is not everything, a reason, and exactly one ground."""
    with pytest.raises(InvalidInput, match="expected a pattern"):
        Declared(**{"pattern": "etc/x", **fields})


def test_special_modes_are_found_unless_a_locked_deb_has_them() -> None:
    """A set-user-id bit is a finding; a locked deb that has it, or a declaration of it, clears it."""
    extra = [file("usr/bin/a", OWNED["usr/bin/a"], 0o4755)]
    assert rules(owned_by(extra)) == [("special-mode", "usr/bin/a")]
    assert rules(owned_by(extra, [Declared("usr/bin/a", "r", mode=0o4755)])) == []
    files = (hashed("usr/lib/os-release", RELEASE), hashed("usr/bin/a", OWNED["usr/bin/a"], 0o4755))
    locked = Locked((LockedPackage("deb", "a", "1", files, source=("a", "1")),))
    assert rules(owned_by(extra, locked=locked)) == []


def test_capabilities_are_found() -> None:
    """Extended attributes lend rights without a mode bit: a finding."""
    extra = [replace(file("usr/bin/a", OWNED["usr/bin/a"]), xattrs=("security.capability",))]
    assert rules(owned_by(extra)) == [("special-mode", "usr/bin/a")]


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("../../../etc/x", "escaping-link"),
        ("b", "looping-link"),
        ("/tmp/x", "dangling-link"),  # noqa: S108
        ("../share/x", "unattributed-link"),
    ],
)
def test_links_that_lead_nowhere_good_are_found(target: str, rule: str) -> None:
    """A link out of the root, in circles, to nothing or to an unowned file is a finding."""
    found = rules(owned_by([link("usr/bin/b", target), file("usr/share/x", b"x")]))
    assert (rule, "usr/bin/b") in found


def test_links_to_what_is_owned_pass_without_archives_only() -> None:
    """A link to an owned file is let be; where debs are locked, it must be in one of them."""
    extra = [link("usr/bin/b", "a"), link("bin", "usr/bin"), link("usr/bin/p", "/proc/self/exe")]
    assert rules(owned_by(extra)) == []
    assert rules(owned_by(extra, locked=locked_deb())) == [("unattributed-link", "usr/bin/b")]
    seen = owned_by(extra, locked=locked_deb(LockedFile("usr/bin/b", target="a")))
    assert (rules(seen), seen.links, seen.verified_links) == ([], 3, 1)


def test_link_of_a_locked_deb_that_leads_elsewhere_is_found() -> None:
    """A link that its deb has otherwise is a finding."""
    locked = locked_deb(LockedFile("usr/bin/b", target="a"))
    assert rules(owned_by([link("usr/bin/b", "/usr/lib/os-release")], locked=locked)) == [("edited-link", "usr/bin/b")]


def test_packages_that_are_not_locked_and_locked_ones_that_are_not_there_are_found() -> None:
    """With archives of an ecosystem, its packages are those of the archives, no more and no fewer."""
    other = Locked((LockedPackage("deb", "b", "1", (), source=("b", "1")),))
    assert [rule for rule, _ in rules(owned_by(locked=other))] == ["missing-package", "unlocked-package"]


def test_unknown_distribution_is_found() -> None:
    """Without os-release no advisory fits a deb: a finding."""
    seen = owned_by(without=["usr/lib/os-release"])
    assert ("unknown-distro", "etc/os-release") in rules(seen)


def test_base_declarations_prefer_the_content() -> None:
    """A hand-made file is declared by its digest when the builder knows it, else by its maker."""
    made = base_declarations({"etc/a": "r", "etc/b": "r"}, {"etc/a": "0" * 64})
    assert [(item.pattern, bool(item.sha256)) for item in made[:2]] == [("etc/a", True), ("etc/b", False)]
    assert all(item.may_be_absent for item in made[2:])
