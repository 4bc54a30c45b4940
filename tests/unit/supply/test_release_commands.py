"""``lens cut-rc``, ``releases``, ``release show``, ``diff`` and ``verify`` as people and scripts see them."""

import json

import pytest
from cutting import LEFT_OUT, VERSION, CuttingHouse

from lens_core import cli, release_cli, verify_cli
from lens_core.adapters.cut_folder import CutFolder
from lens_core.cut import CutRequest
from lens_core.drills.reader import Drills

COUNT = 25
"""More files than a terminal wants to see of a small cut."""


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A house that the commands work in."""
    house = CuttingHouse(tmp_path)

    class Cutting:
        def cut(self, request: CutRequest, listener):
            house.heard = listener
            return house.cut(request.version, request.left_out, request.ref)

    monkeypatch.setattr(release_cli, "open_cutting", lambda **_: Cutting())
    monkeypatch.setattr(release_cli, "open_release_ledger", lambda: house.ledger)
    monkeypatch.setattr(release_cli, "open_releases", lambda: house.releases)
    monkeypatch.setattr(verify_cli, "open_releases", lambda: house.releases)
    drills = Drills(tmp_path / "drills", CutFolder, house.releases.trusted, {})
    monkeypatch.setattr(verify_cli, "open_drills", lambda: drills)
    return house


def run(capsys, *arguments):
    """Exit code, output and errors of a command."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


CUT = ("cut-rc", "--version", VERSION, *(f"--no-{part}" for part in sorted(LEFT_OUT)))


def test_a_cut_shows_its_steps_and_what_its_gates_say(house, capsys):
    """Steps with their times on standard error, digests and answers on standard output; 1 when it does not pass."""
    code, out, err = run(capsys, *CUT)
    assert code == 1
    assert "✓ distributions" in err
    assert "✓ seal" in err
    release = house.ledger.releases()[0]
    assert str(release.manifest) in out
    assert "reproducible_build" in out
    assert "INCONCLUSIVE" in out


def test_every_command_has_json(house, capsys):
    """Scripts get one document from each."""
    document = json.loads(run(capsys, *CUT, "--json")[1])
    assert document["release"]["version"] == VERSION
    assert document["release"]["candidate"]["digest"].startswith("sha256:")
    assert json.loads(run(capsys, "releases", "--json")[1])[0]["version"] == VERSION
    shown = json.loads(run(capsys, "release", "show", VERSION, "--json")[1])
    assert shown == document
    code, out, _ = run(capsys, "verify", VERSION, "--json")
    assert (code, json.loads(out)["stands"]) == (0, True)


def test_nothing_cut_yet_says_what_to_do(house, capsys):
    """An empty list is an answer with a next step; a version that is not there is named."""
    assert "lens cut-rc" in run(capsys, "releases")[1]
    code, _, err = run(capsys, "release", "show", VERSION)
    assert code == 2
    assert VERSION in err
    assert run(capsys, "verify", VERSION)[0] == 2


def test_verify_names_what_is_at_fault_and_ends_with_five(house, capsys):
    """A changed file is named on standard error, and in JSON."""
    run(capsys, *CUT)
    code, out, _ = run(capsys, "verify", VERSION)
    assert code == 0
    assert "stands" in out
    (house.store.folder(VERSION) / "dist" / "lens.whl").write_bytes(b"other")
    code, out, err = run(capsys, "verify", VERSION)
    assert (code, out) == (5, "")
    assert "dist/lens.whl" in err
    document = json.loads(run(capsys, "verify", VERSION, "--json")[1])
    assert not document["stands"]
    assert "dist/lens.whl" in document["faults"][0]


def test_a_key_can_be_named_in_place_of_the_trusted_ones(house, capsys, tmp_path):
    """Another key believes nothing of what this one signed; a file that is no key is a request to change."""
    run(capsys, *CUT)
    other = CuttingHouse(tmp_path / "other")
    from lens_core.supply.signatures import pem_of  # noqa: PLC0415  (only here)

    key = tmp_path / "key.pem"
    key.write_bytes(pem_of(other.signer.public_key))
    assert run(capsys, "verify", VERSION, "--key", str(key))[0] == 5
    key.write_bytes(pem_of(house.signer.public_key))
    assert run(capsys, "verify", VERSION, "--key", str(key))[0] == 0
    assert run(capsys, "verify", VERSION, "--key", str(tmp_path / "none.pem"))[0] == 2


def test_two_candidates_are_told_apart(house, capsys):
    """Packages, findings and files, each with how many; a long list is cut and says so."""
    house.steps[1].files = tuple(f"quality/{n}.json" for n in range(COUNT * 2))
    run(capsys, *CUT)
    house.source.text = "two"
    run(capsys, *CUT[:2], "1.0.0-rc.2", *CUT[3:])
    code, out, _ = run(capsys, "diff", VERSION, "1.0.0-rc.2")
    assert code == 0
    assert "packages  the same" in out
    assert "~ dist/lens.whl" in out
    assert "more: --json has all" in out
    document = json.loads(run(capsys, "diff", VERSION, "1.0.0-rc.2", "--json")[1])
    assert len(document["files"]) > COUNT * 2


def test_a_scan_without_an_sbom_is_refused_with_what_to_do(house, capsys):
    """The message names the option that is missing."""
    code, _, err = run(capsys, "cut-rc", "--version", VERSION, "--no-sbom")
    assert code == 2
    assert "--no-scan" in err
