"""``open_drilling`` joins the real parts: what HEAD builds against what 0.9.2 writes, sealed and verified offline."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cutting import VERSION, CuttingHouse
from drilling import Heard

from lens_core import drill_bootstrap
from lens_core.adapters.drill_versions import RegisteredVersions
from lens_core.adapters.engine_homes import EngineHomes
from lens_core.adapters.keys import TrustStore
from lens_core.drill_bootstrap import CELLS, JUDGES, open_drilling, open_drills
from lens_core.drills.drill import Ended, read_observation
from lens_core.drills.previous import parse_previous
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.keys_bootstrap import OpenKeys
from lens_core.model import Verdict
from lens_core.supply.signatures import pem_of
from tests.places import PROJECT, image_cache

QUICK = ("read", "query_parity", "analyzer", "api", "half_fleet")
PREVIOUS = PROJECT / "data/previous"


def home_in(folder):
    """A home folder with a trusted key beside it, which shares the cache of packages."""
    home = folder / "home"
    home.mkdir()
    (home / "cache").symlink_to(image_cache())
    OpenKeys(TrustStore(home / "keys" / "trusted"), folder / "key.pem").new()
    return home


@pytest.fixture(scope="module")
def drilled(tmp_path_factory):
    """HEAD, drilled against 0.9.2 with the quick cells; the home folder, the drill, and what was said."""
    folder, heard = tmp_path_factory.mktemp("drilled"), Heard()
    home = home_in(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drill_bootstrap, "CELLS", tuple(cell for cell in CELLS if cell.name in QUICK))
        drill = open_drilling(home, signing_key=folder / "key.pem").drill("", "v0.9.2", heard)
    (folder / "key.pem").unlink()
    return home, drill, heard


def test_head_is_drilled_against_what_0_9_2_wrote(drilled):
    """Cells that are asked pass, those that nobody asks are errors, and all of it verifies without its key."""
    home, drill, heard = drilled
    said = {answer.cell: answer.verdict for answer in drill.record.answers}
    assert said == {cell: Verdict.PASS if cell in QUICK else Verdict.ERROR for cell in drill.record.rules.cells}
    assert [(version, cell) for version, cell, _ in heard.lines] == [("0.9.2", cell) for cell in ("built", *QUICK)]
    [previous] = drill.record.previous
    assert (previous.tantivy, drill.record.candidate.tantivy) == ("0.25.1", "0.27.0")
    [found] = open_drills(home).verify_version(drill.record.candidate.version, drill.record.candidate.wheel_sha256)
    assert (found.stands, found.record) == (True, drill.record)
    assert not (home / "drilling").exists()


@pytest.mark.parametrize("cell", ["api", "half_fleet"])
def test_observations_are_of_both_servers(drilled, cell):
    """The servers say themselves which versions they are; another version's answers are no evidence."""
    _, drill, _ = drilled
    content = (drill.folder / f"observations/0.9.2/{cell}.json").read_bytes()
    facts = read_observation(content).facts
    assert (read_observation(content).ended, facts["old"]) == (Ended.DONE, "0.9.2")
    [previous] = drill.record.previous
    about = (previous, drill.record.candidate, drill.record.rules)
    assert JUDGES[cell](facts, *about).verdict is Verdict.PASS
    for other in ({"old": "0.9.1"}, {"new": "0.9.2"}):
        with pytest.raises(ValueError, match=r"expected 0\.9\.2 and the candidate to serve"):
            JUDGES[cell]({**facts, **other}, *about)


def test_a_release_is_drilled_by_its_own_wheel(tmp_path):
    """The wheel of a sealed cut is what is drilled; one that does not verify is not."""
    house = CuttingHouse(tmp_path, key=Ed25519PrivateKey.generate())
    TrustStore(tmp_path / "keys/trusted").trust(pem_of(house.signer.public_key))
    release = house.cut()
    candidate = drill_bootstrap._candidates(tmp_path)(VERSION)
    assert (candidate.version, candidate.wheel_sha256) == (VERSION, release.candidate.digest.hex)
    assert candidate.wheel == tmp_path / "releases" / VERSION / "dist/lens.whl"
    candidate.wheel.write_bytes(b"another")
    with pytest.raises(IntegrityError, match="does not verify"):
        drill_bootstrap._candidates(tmp_path)(VERSION)
    with pytest.raises(IntegrityError, match="expected wheel"):
        drill_bootstrap._home(EngineHomes(PREVIOUS, tmp_path), candidate, print)


def test_an_unknown_version_is_named(tmp_path):
    """A version that is not registered is an error that says which ones are."""
    with pytest.raises(InvalidInput, match=r"among 0\.9\.0, 0\.9\.1, 0\.9\.2, saw '0\.8\.0'"):
        open_drilling(home_in(tmp_path)).drill("", "v0.8.0", Heard())


def test_an_archive_speaks_for_its_version(tmp_path):
    """The archived index comes with its tree, its questions, and its own answers as the worker would give them."""
    known = parse_previous((PREVIOUS / "versions.toml").read_text(encoding="utf-8"))
    versions = RegisteredVersions(known, PREVIOUS, EngineHomes(PREVIOUS, tmp_path))
    found = versions.unpack("0.9.0", tmp_path / "archive")
    assert (found.origin, versions.tantivy("0.9.0")) == ("archived", "0.22.2")
    assert len(found.questions) == len(found.answers["said"]["answers"]) == 75
    golden = json.loads((tmp_path / "archive/golden.json").read_text(encoding="utf-8"))
    path, start, end, symbol, *_ = golden["answers"][0]["hits"][0]
    assert found.answers["said"]["answers"][0]["hits"][0] == f"{path}:{start}-{end}:{symbol}"
    whole = [answer for answer in found.answers["said"]["answers"] if answer["all"]]
    assert 0 < len(whole) < 75
