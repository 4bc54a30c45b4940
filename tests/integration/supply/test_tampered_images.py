"""Tampered images: everything that was planted is found, and nothing in the clean one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bench import sbom as bench
from bench.attacks import ATTACKS, Attack
from bench.sample_image import clean_layers, wheels, write_layout
from lens_core.adapters.image_files import ImageFiles
from lens_core.adapters.locked_packages import read_locked
from lens_core.errors import IntegrityError
from lens_core.model import Verdict
from lens_core.supply.inventory import take_inventory
from lens_core.supply.locked import Locked
from lens_core.supply.ownership import attribute
from lens_core.supply.ownership_report import write_report
from lens_core.supply.sbom import Product, generate
from lens_core.supply.sbom_answers import answers, components


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Locked:
    """The archives that the sample image is made of."""
    return bench.lock_in(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of the untouched image."""
    folder = tmp_path_factory.mktemp("clean")
    write_layout(folder, clean_layers())
    return folder


def test_clean_image_passes_both_gates(clean: Path, locked: Locked) -> None:
    """The untouched image has an owner for every file, and its list is valid and complete."""
    rootfs = ImageFiles(clean).rootfs()
    inventory = take_inventory(rootfs)
    ownership = attribute(rootfs, inventory, bench.DECLARED, locked)
    sbom = generate(inventory, ownership, Product("sample", "1", 0), locked)
    seen = answers(sbom, write_report(ownership), rootfs.image, {})
    assert [(item.verdict, item.value) for item in seen] == [(Verdict.PASS, 1.0), (Verdict.PASS, 0.0)]
    assert ownership.findings == ()
    assert (ownership.links, ownership.verified_links) == (5, 2)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_attack_is_found(tmp_path: Path, clean: Path, locked: Locked, attack: Attack) -> None:
    """With the locked archives every attack is found; without them those whose records do not agree with it."""
    write_layout(tmp_path, bench.tampered(attack))
    assert bench.found(attack, bench.look(tmp_path, locked), bench.look(clean, locked))
    if not attack.needs_locked:
        assert bench.found(attack, bench.look(tmp_path, None), bench.look(clean, None))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_no_attack_passes_the_gate(tmp_path: Path, locked: Locked, attack: Attack) -> None:
    """Judged by the bytes of the report, no tampered image passes."""
    write_layout(tmp_path, bench.tampered(attack))
    rootfs = ImageFiles(tmp_path).rootfs()
    inventory = take_inventory(rootfs)
    ownership = attribute(rootfs, inventory, bench.DECLARED, locked)
    sbom = generate(inventory, ownership, Product("sample", "1", 0))
    verdicts = {item.gate: item.verdict for item in answers(sbom, write_report(ownership), rootfs.image, {})}
    assert verdicts["file_ownership"] is Verdict.FAIL
    assert verdicts["sbom"] is Verdict.PASS


def test_syft_lists_the_same_packages(clean: Path) -> None:
    """The purls of debs and distributions are those that syft gives, so that other scanners understand them."""
    theirs = {word for word in bench.syft(clean).words if word.startswith("pkg:")}
    ours = {package.purl for package in take_inventory(ImageFiles(clean).rootfs()).packages}
    assert ours == theirs


def test_lists_are_the_same_from_another_folder(tmp_path: Path, clean: Path) -> None:
    """The same image elsewhere gives the same bytes."""
    shutil.copytree(clean, tmp_path / "copy")
    lists = []
    for layout in (clean, tmp_path / "copy"):
        rootfs = ImageFiles(layout).rootfs()
        inventory = take_inventory(rootfs)
        lists.append(generate(inventory, attribute(rootfs, inventory), Product("sample", "1", 0)))
    assert lists[0] == lists[1]
    assert {"pkg:cargo/serde@1.0.200", "pkg:pypi/six@1.16.0"} <= {item.purl for item in components(lists[0])}


def test_archives_that_are_none_are_refused(tmp_path: Path) -> None:
    """A file that is no wheel or deb, or only half of one, is no ground truth."""
    whole = wheels()[0].write(tmp_path)
    half = tmp_path / "half-1-py3-none-any.whl"
    half.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(IntegrityError, match=r"half-1.*not a whole archive"):
        read_locked([half])
    deb = tmp_path / "a_1_all.deb"
    for content in (b"", b"!<arch>\n", b"!<arch>\n" + b"x" * 70):
        deb.write_bytes(content)
        with pytest.raises(IntegrityError, match=r"a_1_all\.deb is not a whole archive"):
            read_locked([], [deb])


def test_debs_are_read_as_dpkg_reads_them(tmp_path: Path) -> None:
    """The sample's debs are real ones: dpkg-deb lists the files that are read here."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    bench.lock_in(tmp_path)
    for path in tmp_path.glob("*.deb"):
        (package,) = read_locked([], [path]).packages
        listed = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], capture_output=True, check=True).stdout
        names = subprocess.run(["tar", "-t"], input=listed, capture_output=True, check=True).stdout.decode().split()
        assert [f"./{file.path}" for file in package.files] == names
