"""``lens keys``: what a person sees of the keys."""

import json

import pytest
from typer.testing import CliRunner

from lens_core.errors import Conflict, InvalidInput
from lens_core.keys_bootstrap import open_keys
from lens_core.keys_cli import keys_app
from lens_core.supply.signatures import key_id, pem_of, public_key_of
from study.cuts import SeededSigner


@pytest.fixture
def lens(tmp_path, monkeypatch):
    """Runs ``lens keys …`` with a home folder and a configuration folder of its own."""
    monkeypatch.setenv("LENS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("LENS_SIGNING_KEY", raising=False)

    def run(*arguments):
        done = CliRunner().invoke(keys_app, list(arguments))
        if done.exception is not None:
            raise done.exception
        return done.stdout

    return run


def test_a_new_key_signs_and_is_trusted_here(lens, tmp_path):
    """``new`` writes the key where nobody has to name it, and trusts it; ``show`` tells both."""
    made = json.loads(lens("new", "--json"))
    assert made["file"] == str(tmp_path / "config" / "lens" / "signing-key.pem")
    assert json.loads(lens("show", "--json")) == {"signing": made["key"], "trusted": [made["key"]]}
    assert key_id(open_keys().signer().public_key) == made["key"]
    assert f"signs    {made['key']}" in lens("show")


def test_a_second_new_key_needs_a_place_of_its_own(lens, tmp_path):
    """The key that is there is kept; one in a named file is made beside it, and shown when it is named."""
    first = json.loads(lens("new", "--json"))["key"]
    with pytest.raises(Conflict):
        lens("new")
    place = tmp_path / "other.pem"
    assert str(place) in lens("new", str(place))
    assert f"signs    {first}" in lens("show")
    named = json.loads(lens("show", "--key", str(place), "--json"))
    assert named["signing"] != first
    assert named["signing"] in named["trusted"]


def test_the_public_half_goes_from_one_person_to_another(lens, tmp_path, monkeypatch):
    """What ``show --pem`` prints is what ``trust`` takes on another machine."""
    made = json.loads(lens("new", "--json"))["key"]
    file = tmp_path / "key.pem"
    file.write_text(lens("show", "--pem"), encoding="ascii")
    assert key_id(public_key_of(file.read_bytes())) == made
    monkeypatch.setenv("LENS_HOME", str(tmp_path / "another"))
    assert open_keys().trusted() == {}
    assert lens("trust", str(file)) == f"trusted  {made}\n"
    assert list(open_keys().trusted()) == [made]


def test_nothing_signs_and_nobody_is_trusted_at_first(lens, tmp_path):
    """Without keys ``show`` says what to do; with a named one that is not there it is an error."""
    told = lens("show")
    assert "lens keys new" in told
    assert "lens keys trust" in told
    assert json.loads(lens("show", "--json")) == {"signing": None, "trusted": []}
    for arguments in (("show", "--pem"), ("show", "--key", str(tmp_path / "none")), ("trust", str(tmp_path / "none"))):
        with pytest.raises(InvalidInput):
            lens(*arguments)


def test_the_environment_comes_before_the_file_that_nobody_named(lens, monkeypatch):
    """LENS_SIGNING_KEY signs where it is set, and a wrong one is no reason to take another key."""
    lens("new")
    monkeypatch.setenv("LENS_SIGNING_KEY", "no key")
    with pytest.raises(InvalidInput, match="LENS_SIGNING_KEY"):
        open_keys().signer()


def test_trust_as_json(lens, tmp_path):
    """``trust --json`` names the key that is trusted now."""
    file = tmp_path / "key.pem"
    file.write_bytes(pem_of(SeededSigner(1).public_key))
    assert json.loads(lens("trust", str(file), "--json")) == {"trusted": SeededSigner(1).key_id}
