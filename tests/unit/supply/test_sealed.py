"""What opening a seal finds, and that the verifier in bash finds it too."""

import pytest
from crooked_cuts import SHAPE, SIGNER, STRANGER, TRUSTED, crooked
from cuts_on_disk import ask_bash, write_cut

from lens_core.adapters.cut_folder import CutFolder
from lens_core.supply.manifest import MANIFEST, SIGNATURE, SUMS
from lens_core.supply.sealed import Opened, subjects_of, verify
from lens_core.supply.signatures import pem_of
from lens_core.supply.statement import PROVENANCE, Subject
from study.cuts import Shape, entries_of, image_digest_of, resealed, sealed_cut
from study.mutants import MutatedTree, sha256

CROOKED = crooked()


def opened(cut, trusted=TRUSTED, version=""):
    """What the verifier says about a cut in memory."""
    return verify(
        MutatedTree(cut, {name: sha256(content) for name, content in cut.items()}, {}), trusted, version=version
    )


@pytest.mark.parametrize("image", [True, False])
def test_a_cut_as_it_was_sealed_stands(image):
    """With an image and without, the seal stands, and gives what was signed."""
    shape = Shape(image=image)
    found = opened(sealed_cut(shape, SIGNER), version=shape.version)
    assert found.stands
    assert (found.manifest.version, found.manifest.commit, found.manifest.key) == (
        "1.0.0-rc.1",
        "5e" * 20,
        SIGNER.key_id,
    )
    assert found.provenance.external["version"] == "1.0.0-rc.1"
    assert ("image" in {subject.name for subject in found.provenance.subjects}) is image


def test_a_cut_without_provenance_is_whole_and_gives_none():
    """A cut that was made without provenance stands, and says that there is none."""
    cut = sealed_cut(SHAPE, SIGNER)
    cut.pop(PROVENANCE)
    found = opened(resealed(cut, SHAPE, SIGNER))
    assert (found.stands, found.provenance) == (True, None)


@pytest.mark.parametrize("what", CROOKED)
def test_a_signature_does_not_make_a_crooked_cut_right(what, tmp_path):
    """What the trusted key signed is refused where its parts do not agree, by both verifiers."""
    cut, at_fault = CROOKED[what]
    found = opened(cut)
    assert not found.stands
    assert at_fault is None or [fault.artifact for fault in found.faults] == [at_fault]
    places = {name: content for name, content in cut.items() if name.isprintable()}
    key = tmp_path / "key.pem"
    key.write_bytes(pem_of(SIGNER.public_key))
    folder = write_cut(tmp_path / "cut", places)
    assert verify(CutFolder(folder), TRUSTED) == found
    code, words = ask_bash(folder, key)
    assert code == 1, words
    assert words.startswith("✕ "), words


def test_nothing_is_trusted_without_a_key():
    """Without a trusted key, or with a stranger's, no cut stands (first law)."""
    cut = sealed_cut(SHAPE, SIGNER)
    for trusted in ({}, {STRANGER.key_id: STRANGER.public_key}):
        found = opened(cut, trusted)
        assert (found.stands, found.manifest) == (False, None)
        assert [fault.artifact for fault in found.faults] == [SIGNATURE]
    assert not Opened(()).stands


def test_an_empty_folder_is_no_cut():
    """Where nothing is, the manifest and its signature are missing."""
    found = opened({})
    assert [fault.artifact for fault in found.faults] == [MANIFEST, SIGNATURE]
    assert not found.stands


def test_one_trusted_key_of_several_is_enough():
    """The key that signed is found among others."""
    assert opened(sealed_cut(SHAPE, SIGNER), {STRANGER.key_id: STRANGER.public_key, **TRUSTED}).stands


def test_another_candidate_in_its_place_is_named():
    """A whole cut of rc.2 where rc.1 was asked for is refused, though each byte of it is signed."""
    other = sealed_cut(Shape("1.0.0-rc.2", "ab" * 20), SIGNER)
    assert opened(other).stands
    found = opened(other, version="1.0.0-rc.1")
    assert [str(fault) for fault in found.faults] == ["manifest.json: expected version 1.0.0-rc.1, saw 1.0.0-rc.2"]


def test_subjects_are_every_output_but_the_seal():
    """Provenance names each file but the seal's and the verdict's, and the image by its manifest."""
    cut = sealed_cut(SHAPE, SIGNER)
    subjects = subjects_of(entries_of(cut), image_digest_of(cut))
    names = {subject.name for subject in subjects}
    assert not names & {MANIFEST, SIGNATURE, SUMS, PROVENANCE, "gates.json"}
    assert {name for name in cut if name.startswith(("dist/", "sbom/", "scan/", "sast/", "quality/"))} <= names
    assert Subject("image", image_digest_of(cut)) in subjects
    assert not any(name.startswith("image/") for name in names)
