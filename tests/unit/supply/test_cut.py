"""Cutting a candidate: whole or not at all, once, from clean commits, and going on where it was."""

import shutil
from dataclasses import replace

import pytest
from cutting import LEFT_OUT, VERSION, CuttingHouse, FakeRegistry, content_of

from lens_core.adapters.cut_folder import CutFolder
from lens_core.cut import PARTS
from lens_core.errors import Conflict, IntegrityError, InvalidInput, Refused, Unavailable
from lens_core.model import Verdict
from lens_core.supply import manifest
from lens_core.supply.signatures import key_id
from lens_core.supply.statement import PROVENANCE


@pytest.fixture
def house(tmp_path):
    """A house with nothing cut in it."""
    return CuttingHouse(tmp_path)


def finished(house):
    """Versions that stand among the releases."""
    return house.releases.versions()


def test_a_cut_verifies_and_is_remembered(house):
    """What was cut stands, its answers are what its evidence gives, and the ledger has it by its manifest's digest."""
    release = house.cut()
    found = house.releases.verify(VERSION)
    assert found.stands, found.faults
    assert (found.release, house.ledger.releases()) == (release, (release,))
    assert release.cut_by == "builder@example.invalid"
    assert house.ledger.candidates() == (release.candidate,)


def test_nothing_left_out_is_answered(house):
    """Gates of parts that were left out, and of evidence that is not there, are INCONCLUSIVE: the cut cannot pass."""
    release = house.cut()
    answers = {answer.gate: answer.verdict for answer in house.releases.answers(VERSION)}
    assert answers.pop("reproducible_build") is Verdict.PASS
    assert answers.pop("provenance") is Verdict.PASS
    assert set(answers.values()) == {Verdict.INCONCLUSIVE}
    assert {"image_smoke", "sbom", "file_ownership", "sast_bandit", "vulnerabilities", "migrations"} <= set(answers)
    assert release.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("number", [0, 1])
def test_a_cut_that_fails_leaves_nothing_among_the_releases_and_goes_on(house, number):
    """After a failure in any step nothing stands; cutting again does only what was not done, and leaves no mess."""
    house.steps[number].fails.append(Unavailable("gone", "try again"))
    house.steps[1].needs = ("distributions",)
    with pytest.raises(Unavailable):
        house.cut()
    assert finished(house) == ()
    assert house.ledger.releases() == ()
    house.cut()
    assert house.releases.verify(VERSION).stands
    assert [step.made for step in house.steps] == [2 - number, 1 + number]


def test_files_of_a_cut_that_was_killed_are_made_again_when_they_are_not_as_they_were(house):
    """What the journal says is believed only when the bytes agree."""
    house.steps[1].needs = ("distributions",)
    house.steps[1].fails.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        house.cut()
    (house.home / "cuts" / VERSION / "cut" / "dist" / "lens.whl").write_bytes(b"torn")
    house.cut()
    assert house.steps[0].made == 2
    assert house.releases.verify(VERSION).stands


def test_a_torn_journal_is_not_believed(house):
    """A journal that cannot be read counts for nothing: everything is made again."""
    house.steps[1].needs = ("distributions",)
    house.steps[1].fails.append(Unavailable("gone", ""))
    with pytest.raises(Unavailable):
        house.cut()
    (house.home / "cuts" / VERSION / "journal.json").write_text('{"subj')
    house.cut()
    assert house.steps[0].made == 2


def test_another_commit_does_not_go_on_with_the_files_of_the_first(house):
    """Files that were made of one commit are never sealed as another's."""
    house.steps[1].needs = ("distributions",)
    house.steps[1].fails.append(Unavailable("gone", ""))
    with pytest.raises(Unavailable):
        house.cut()
    house.source.text = "two"
    house.cut()
    assert (house.store.folder(VERSION) / "dist" / "lens.whl").read_bytes() == b"two"


def test_a_dirty_tree_is_refused_and_named(house):
    """Changes that are not in the commit stop a cut, unless a commit is named; the message lists them."""
    house.source.changed = ("lens_core/x.py",)
    with pytest.raises(Refused) as refused:
        house.cut()
    assert refused.value.blockers == ("lens_core/x.py",)
    assert house.cut(ref="HEAD").version == VERSION


def test_cutting_again_confirms_the_same_bytes(house):
    """The same version of the same commit is built again, compared, and stays as it was sealed."""
    first = house.cut()
    assert house.cut() == first
    assert [step.made for step in house.steps] == [2, 1]
    assert not (house.home / "cuts" / f"{VERSION}-again").exists()


def test_a_version_is_cut_once(house):
    """Another commit, or other bytes of the same commit, are refused under a version that is taken."""
    first = house.cut()
    house.source.text = "two"
    with pytest.raises(Conflict, match="was cut from commit"):
        house.cut()
    house.source.text = "one"
    house.steps[0].content = lambda _name, source: source + b" differently"
    with pytest.raises(Conflict, match="other bytes") as refused:
        house.cut()
    assert "dist/lens.whl" in refused.value.blockers
    assert house.ledger.releases() == (first,)


def test_the_next_version_stands_beside_the_first(house):
    """rc.2 of the same commit keeps both."""
    house.cut()
    house.clock.moment = house.clock.moment.replace(hour=3)
    house.cut("1.0.0-rc.2")
    assert [release.version for release in house.ledger.releases()] == ["1.0.0-rc.2", VERSION]
    assert house.releases.diff(VERSION, "1.0.0-rc.2").packages == ()


def test_a_sealed_cut_that_was_not_recorded_is_recorded(house):
    """A crash between sealing and recording loses nothing: cutting again records what stands."""
    first = house.cut()
    (house.home / "lens.db").unlink()
    again = CuttingHouse(house.home, key=house.key)
    assert again.cut() == first
    assert again.ledger.releases() == (first,)


def test_a_damaged_cut_is_not_confirmed(house):
    """Cutting again a version whose files were changed says which, and changes nothing."""
    house.cut()
    (house.store.folder(VERSION) / "dist" / "lens.whl").write_bytes(b"other")
    with pytest.raises(IntegrityError, match=r"dist/lens\.whl"):
        house.cut()


def test_a_key_that_is_not_trusted_here_seals_nothing(house):
    """Nobody here could verify such a cut, so it is not begun."""
    house.trusting = False
    with pytest.raises(InvalidInput, match="trusted"):
        house.cut()
    assert [step.made for step in house.steps] == [0, 0]


def test_what_is_missing_is_said_before_anything_is_done(house):
    """A step that cannot be done here stops the cut before the first one begins."""
    house.steps[1].absent = True
    with pytest.raises(Unavailable, match="is not there"):
        house.cut()
    assert house.steps[0].made == 0


@pytest.mark.parametrize("version", ["1.0", "1.0.0rc1", "v1.0.0", "1.0.0-rc", "01.0.0", "../1.0.0", "1.0.0-rc.1/x", ""])
def test_versions_of_another_form_are_refused(house, version):
    """Only semantic versions name a folder."""
    with pytest.raises(InvalidInput, match="expected a version"):
        house.cut(version)


def test_a_scan_needs_an_sbom(house):
    """What is scanned is what the SBOM lists."""
    with pytest.raises(InvalidInput, match="SBOM"):
        house.cut(left_out=frozenset({"sbom"}))


def test_only_one_cut_runs_at_a_time(house):
    """A second cut says which process has the first."""
    inner = house.steps[0].make

    def second(job, progress):
        with pytest.raises(Conflict):
            house.cut("1.0.0-rc.2")
        return inner(job, progress)

    house.steps[0].make = second
    assert house.cut().version == VERSION


def test_a_cut_without_an_image_is_pushed_nowhere(house):
    """There is nothing to push, and that is no failure."""
    house.registry = FakeRegistry()
    assert house.cut().pushed_to == ""
    assert house.registry.pushed == []


@pytest.mark.parametrize("part", ["provenance"])
def test_a_cut_without_provenance_says_so(house, part):
    """It stands, and its provenance has no answer."""
    house.cut(left_out=LEFT_OUT | {part})
    assert house.releases.verify(VERSION).stands
    answers = {answer.gate: answer for answer in house.releases.answers(VERSION)}
    assert answers["provenance"].verdict is Verdict.INCONCLUSIVE
    assert part in PARTS


def test_answers_that_the_evidence_does_not_give_are_found(house, tmp_path):
    """Whoever has the key can sign anything, but not make the evidence say it."""
    release = house.cut()
    assert release.verdict is Verdict.INCONCLUSIVE
    forged = CuttingHouse(tmp_path / "forged", key=house.key)
    honest = forged.cut
    from lens_core import cut  # noqa: PLC0415  (what is replaced here)

    judge = cut.judge
    cut.judge = lambda *arguments: tuple(replace(a, verdict=Verdict.PASS) for a in judge(*arguments))
    try:
        honest()
    finally:
        cut.judge = judge
    found = forged.releases.verify(VERSION)
    assert not found.stands
    assert {fault.artifact for fault in found.faults} == {"gates.json"}


def test_a_folder_elsewhere_is_verified_too(house, tmp_path):
    """A stranger's copy of the folder is enough."""
    house.cut()
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(house.store.folder(VERSION), copy)
    assert house.releases.verify(str(copy)).stands
    with pytest.raises(InvalidInput):
        house.releases.verify(str(tmp_path / "nowhere"))


def test_a_wheel_that_was_not_built_twice_is_found(house):
    """Whoever seals another wheel than the one that two builds gave is found out by the builds' record."""
    house.steps[0].content = lambda name, source: b"another" if name == "dist/lens.whl" else content_of(name, source)
    house.cut()
    found = house.releases.verify(VERSION)
    assert [fault.artifact for fault in found.faults] == ["dist/lens.whl"]


@pytest.mark.parametrize("name", ["gates.json", "policy.json", "dist/builds.json"])
def test_a_seal_around_too_little_is_no_cut(house, name):
    """Whoever has the key and seals a folder without verdict, policy or builds gets a fault that names the file."""
    house.cut()
    folder = house.store.folder(VERSION)
    key = key_id(house.signer.public_key)
    entries = [entry for entry in house.releases.manifest(VERSION).entries if entry.name not in {name, manifest.SUMS}]
    entries = [entry for entry in entries if entry.name != PROVENANCE]
    for gone in (name, PROVENANCE):
        (folder / gone).unlink()
    (folder / manifest.SUMS).write_bytes(manifest.sums(entries))
    entries += CutFolder(folder).entries([manifest.SUMS])
    commit = house.source.commit().commit
    content = manifest.build(entries, version=VERSION, commit=commit, key=key)
    (folder / manifest.MANIFEST).write_bytes(content)
    (folder / manifest.SIGNATURE).write_bytes(manifest.sign(content, house.signer))
    found = house.releases.verify(VERSION)
    assert [fault.artifact for fault in found.faults] == [name]
