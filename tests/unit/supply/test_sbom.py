"""The list of contents: valid, the same twice, complete, and judged by its bytes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from cyclonedx.model.bom import Bom

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.model import Verdict
from lens_core.supply.locked import Locked, LockedPackage
from lens_core.supply.ownership import Declared, Owned, Ownership
from lens_core.supply.ownership_report import write_report
from lens_core.supply.packages import Distro, Embedded, Inventory, Package
from lens_core.supply.sbom import Product, generate, generate_from_lock
from lens_core.supply.sbom_answers import answers, components, sbom_answer
from lens_core.supply.words import Component

IMAGE = "sha256:" + "1" * 64
DEB = "pkg:deb/debian/libssl3@3.0?arch=amd64&distro=debian-12&upstream=openssl"
SERDE = Embedded("pkg:cargo/serde@1.0", "serde", "1.0", "opt/a/sboms/x.json", "listed", ("MIT OR Apache-2.0",))
PACKAGES = (
    Package(
        DEB, "deb", "libssl3", "3.0", "openssl", "3.0", "amd64", "debian-12", ("OpenSSL",), depends=(("libc6", "a"),)
    ),
    Package("pkg:pypi/a@1", "pypi", "a", "1", licence_expression="MIT", depends=(("b",), ("gone",)), root="opt"),
    Package("pkg:pypi/b@2", "pypi", "b", "2", licences=("MIT", "Odd licence"), embedded=(SERDE,), root="opt"),
)
INVENTORY = Inventory(PACKAGES, Distro("debian", "12", "Debian 12"))
FILES = (Owned("a.py", "0" * 64, 1, "pkg:pypi/a@1"), Owned("etc/passwd", "3" * 64, 1, "declared:etc/passwd"))
FILES = (*FILES, Owned("usr/bin/implant\udcff", "4" * 64, 1, ""))
DECLARED = (Declared("etc/passwd", "made by hand", generated_by="g"),)
OWNERSHIP = Ownership(IMAGE, FILES, (), tuple(package.purl for package in PACKAGES), DECLARED)
PRODUCT = Product("lens", "1.0.0rc1", 1_700_000_000)
SBOM = generate(INVENTORY, OWNERSHIP, PRODUCT)
REPORT = write_report(OWNERSHIP)


def edited(edit: Callable[[Any], object]) -> bytes:
    """The list after an edit, canonical again."""
    document = json.loads(SBOM)
    edit(document)
    return rfc8785.dumps(document)


def test_list_is_the_same_twice_and_canonical() -> None:
    """Equal contents give equal bytes, in canonical JSON, with the commit's time and a serial number of their own."""
    assert generate(INVENTORY, OWNERSHIP, PRODUCT) == SBOM
    document = json.loads(SBOM)
    assert rfc8785.dumps(document) == SBOM
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    other = json.loads(generate(INVENTORY, OWNERSHIP, Product("lens", "1.0.0rc2", 1_700_000_000)))
    assert other["serialNumber"] != document["serialNumber"]


def test_list_passes_and_covers_all_packages() -> None:
    """A list with every package of the report passes strictly; the value is the share that it covers."""
    answer = sbom_answer(SBOM, IMAGE, REPORT, "sha256:e")
    assert (answer.verdict, answer.value, answer.sample_count) == (Verdict.PASS, 1.0, 4)


def test_another_library_reads_it() -> None:
    """cyclonedx-python-lib's own model reads the list back with all its top components."""
    bom = Bom.from_json(json.loads(SBOM))  # type: ignore[attr-defined]
    assert len(bom.components) == len(json.loads(SBOM)["components"])


def test_components_come_back_with_sources_and_nested_ones() -> None:
    """The reader gives every package once, nested ones too, with what Debian's advisories go by."""
    seen = components(SBOM)
    assert Component(DEB, "deb", "libssl3", "3.0", "openssl", "3.0", "debian-12") in seen
    assert {item.ecosystem for item in seen} == {"deb", "pypi", "cargo"}


def test_component_without_purl_is_seen_as_generic() -> None:
    """What nobody can be asked about is in the list of what is asked, so that the answer is missed."""
    bundled = Embedded("", "libz", "1.2", "a.libs/libz.so", "bundled")
    inventory = Inventory((Package("pkg:pypi/a@1", "pypi", "a", "1", embedded=(bundled,)),))
    seen = components(generate(inventory, OWNERSHIP, PRODUCT))
    assert [(item.ecosystem, item.purl) for item in seen] == [
        ("generic", "pkg:generic/libz@1.2"),
        ("pypi", "pkg:pypi/a@1"),
    ]


def test_files_without_package_are_in_the_list() -> None:
    """Declared files stand there with their reason, and one that nobody owns says so, whatever its name."""
    files = {item["name"]: item["properties"] for item in json.loads(SBOM)["components"] if item["type"] == "file"}
    assert {"name": "lens:reason", "value": "made by hand"} in files["/etc/passwd"]
    assert files["/usr/bin/implant\\xff"] == [{"name": "lens:owner", "value": "nobody"}]


def test_dependencies_are_what_is_installed() -> None:
    """An edge leads to an installed package; a name that is not there makes none."""
    edges = {edge["ref"]: edge["dependsOn"] for edge in json.loads(SBOM)["dependencies"]}
    assert edges["pkg:pypi/a@1"] == ["pkg:pypi/b@2"]
    assert DEB in edges["image"]
    assert DEB not in edges


def test_locked_archives_lend_their_digests() -> None:
    """A package whose archive is locked carries the archive's SHA-256."""
    locked = Locked((LockedPackage("pypi", "a", "1", (), "5" * 64),))
    document = json.loads(generate(INVENTORY, OWNERSHIP, PRODUCT, locked))
    hashes = {item["name"]: item.get("hashes") for item in document["components"]}
    assert (hashes["a"], hashes["b"]) == ([{"alg": "SHA-256", "content": "5" * 64}], None)


def test_same_package_twice_is_listed_twice() -> None:
    """Two copies in two folders are two components with references of their own."""
    copy = Package("pkg:pypi/a@1", "pypi", "a", "1", root="srv")
    content = generate(Inventory((*PACKAGES, copy)), OWNERSHIP, PRODUCT)
    assert sum(item["name"] == "a" for item in json.loads(content)["components"]) == 2
    assert sbom_answer(content, IMAGE, REPORT).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda document: document["components"].pop(), "leaves out"),
        (lambda document: document.update(specVersion="1.5"), "expected CycloneDX 1.6"),
        (lambda document: document.update(invented=1), "strict schema"),
        (lambda document: document["components"][0].pop("name"), "strict schema"),
        (lambda document: document["metadata"]["component"].pop("hashes"), "expected a list of sha256"),
        (lambda document: document["metadata"].pop("properties"), "scope"),
    ],
)
def test_lists_that_are_wrong_fail(edit: Callable[[Any], object], reason: str) -> None:
    """A package left out, another version, an unknown word and another image fail, each with its reason."""
    answer = sbom_answer(edited(edit), IMAGE, REPORT)
    assert answer.verdict is Verdict.FAIL
    assert reason in answer.reason


def test_bytes_that_are_not_canonical_fail() -> None:
    """The same list with a space more is not the list."""
    assert sbom_answer(SBOM + b"\n", IMAGE, REPORT).verdict is Verdict.FAIL


def test_list_for_another_image_fails() -> None:
    """Yesterday's list is not today's."""
    other = "sha256:" + "2" * 64
    report = write_report(Ownership(other, FILES, (), OWNERSHIP.packages))
    assert sbom_answer(SBOM, other, report).verdict is Verdict.FAIL


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_list_is_an_error(content: bytes) -> None:
    """An empty or foreign file is an ERROR, never a pass and never a crash."""
    with pytest.raises(IntegrityError, match="expected a CycloneDX list"):
        components(content)
    assert sbom_answer(content, IMAGE, REPORT).verdict is Verdict.ERROR


def test_list_of_nothing_is_inconclusive() -> None:
    """No packages at all is no evidence."""
    nothing = Ownership(IMAGE, FILES, (), ())
    empty = generate(Inventory(()), nothing, PRODUCT)
    assert sbom_answer(empty, IMAGE, write_report(nothing)).verdict is Verdict.INCONCLUSIVE


def test_unreadable_report_is_an_error_for_both_gates() -> None:
    """Without the ownership report nobody knows whether the list is complete."""
    seen = answers(SBOM, b"", IMAGE, {"sbom": "sha256:a", "file_ownership": "sha256:b"})
    assert [(item.gate, item.verdict, item.evidence) for item in seen] == [
        ("sbom", Verdict.ERROR, "sha256:a"),
        ("file_ownership", Verdict.ERROR, "sha256:b"),
    ]


LOCK = """
a==1 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via b
Other_One==2.5 ; sys_platform == 'linux' \\
    --hash=sha256:22
win==1 ; sys_platform == 'win32'
--index-url https://example.org/simple
"""


def test_list_of_a_lock_says_what_it_is() -> None:
    """Without a container the list has the locked requirements of the platform, passes, and says so."""
    content = generate_from_lock(LOCK, PRODUCT, "6" * 64)
    assert {item.purl for item in components(content)} == {"pkg:pypi/a@1", "pkg:pypi/other-one@2.5"}
    answer = sbom_answer(content)
    assert answer.verdict is Verdict.PASS
    assert "no image was looked into" in answer.reason


def test_list_of_a_lock_does_not_pass_for_an_image() -> None:
    """A list without a container is none of an image, nor the other way round."""
    assert sbom_answer(generate_from_lock(LOCK, PRODUCT), IMAGE, REPORT).verdict is Verdict.FAIL
    assert sbom_answer(SBOM).verdict is Verdict.FAIL


@pytest.mark.parametrize("line", ["a>=1", "a", "a @ https://example.org/a.whl", "-", "a==1.*", "===="])
def test_lock_that_pins_nothing_is_refused(line: str) -> None:
    """A requirement that is not pinned to one version is refused."""
    if line == "-":  # an option: skipped, and so a lock of nothing
        assert sbom_answer(generate_from_lock(line, PRODUCT)).verdict is Verdict.INCONCLUSIVE
    else:
        with pytest.raises(InvalidInput, match="expected"):
            generate_from_lock(line, PRODUCT)
