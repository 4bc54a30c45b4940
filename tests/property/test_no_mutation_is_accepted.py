"""Whatever is done to a sealed cut, both verifiers refuse it, and the file at fault is named."""

import multiprocessing
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from cuts_on_disk import ask_bash, tampered, write_cut

from lens_core.adapters.cut_folder import CutFolder
from lens_core.supply.manifest import MANIFEST, SIGNATURE
from lens_core.supply.sealed import verify
from lens_core.supply.signatures import pem_of
from study.cuts import Shape
from study.mutants import KINDS, Mutation, Specimen, random_mutations
from study.mutations import Outcome, chunks, try_all, try_chunk

RANDOM = 20_000
ON_DISK = 80
SHAPE = Shape()


def _untraced():
    """Coverage is measured in this process: in a fork that only repeats what is covered it costs half the time."""
    sys.settrace(None)
    threading.settrace(None)


def test_twenty_thousand_mutations_and_every_bit_of_the_seal():
    """Of 20,000 random mutations, and of each bit of the manifest and its signature, none is accepted or misnamed."""
    tasks, made = chunks(RANDOM), Outcome()
    with multiprocessing.get_context("fork").Pool(2, _untraced) as pool:
        for outcome in pool.imap_unordered(try_chunk, tasks):
            made += outcome
    specimen = Specimen.of(SHAPE)
    assert made.tried["every bit"] == 8 * (len(specimen.cut[MANIFEST]) + len(specimen.cut[SIGNATURE]))
    assert made.tried.total() - made.tried["every bit"] == RANDOM
    assert len(made.tried) - 1 == len(set(KINDS)), "a kind of mutation was never tried"
    assert (made.accepted, made.misnamed) == ([], [])


def test_an_untouched_cut_is_accepted_so_the_mutations_mean_something():
    """A mutation that changes nothing is the one that is accepted."""
    specimen = Specimen.of(SHAPE)
    nothing = Mutation("nothing", {MANIFEST: specimen.cut[MANIFEST]})
    assert not specimen.differs(nothing)
    assert len(try_all(specimen, [nothing]).accepted) == 1


def test_in_this_process_a_few_of_every_kind():
    """Some of each kind are refused here too, where coverage can see how."""
    made = try_all(Specimen.of(SHAPE), random_mutations(Specimen.of(SHAPE), 200, seed=3))
    assert (made.accepted, made.misnamed) == ([], [])


@pytest.mark.parametrize("image", [True, False])
def test_bash_agrees_about_real_folders(tmp_path, image):
    """On the disk both verifiers refuse each of some hundred mutations, and name what was touched."""
    specimen = Specimen.of(Shape(image=image))
    key = tmp_path / "key.pem"
    key.write_bytes(pem_of(specimen.signer.public_key))
    trusted = {specimen.signer.key_id: specimen.signer.public_key}
    mutations = list(islice(random_mutations(specimen, ON_DISK // 2, seed=11 + image), ON_DISK // 2))

    def some(part):
        folder = write_cut(tmp_path / f"cut-{part}", specimen.cut)
        wrong = []
        for mutation in mutations[part::2]:
            with tampered(folder, specimen.cut, mutation):
                opened = verify(CutFolder(folder), trusted, version=specimen.shape.version)
                code, words = ask_bash(folder, key, "-v", specimen.shape.version)
            named = [name.replace("\n", "?") for name in mutation.put if name.replace("\n", "?") in words]
            if opened.stands or not mutation.names_rightly({f.artifact for f in opened.faults}):
                wrong.append(("lens", mutation.kind, list(mutation.put), opened.faults))
            if code != 1 or not named:
                wrong.append(("bash", mutation.kind, list(mutation.put), code, words))
        healed = verify(CutFolder(folder), trusted).stands and ask_bash(folder, key)[0] == 0
        return wrong if healed else [*wrong, "the folder is not as it was"]

    with ThreadPoolExecutor(2) as pool:
        assert [wrong for part in pool.map(some, range(2)) for wrong in part] == []
