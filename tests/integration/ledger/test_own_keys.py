"""Keys that Lens makes for itself: made once, readable by their owner alone, known by their public halves."""

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lens_core.adapters.own_keys import key_folder, own_key, public_keys
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.supply.signatures import is_signed, key_id


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path):
    """The second use finds the first one's key; the file's mode is 0600, and its public half is there to read."""
    made = [own_key("audit", tmp_path / "keys", tmp_path / "own", env={}) for _ in range(2)]
    assert made[0].public_key == made[1].public_key
    assert stat.S_IMODE((tmp_path / "keys" / "audit.pem").stat().st_mode) == 0o600
    assert public_keys("audit", tmp_path / "own") == {key_id(made[0].public_key): made[0].public_key}
    assert is_signed(made[0].public_key, made[1].sign(b"x"), b"x")


def test_many_who_need_it_first_get_one_key(tmp_path):
    """Whoever comes later uses the key of whoever was first, and never half of it."""
    with ThreadPoolExecutor(8) as pool:
        use = [pool.submit(own_key, "audit", tmp_path / "keys", tmp_path / "own", {}) for _ in range(16)]
        assert len({one.result().public_key for one in use}) == 1
    assert len(public_keys("audit", tmp_path / "own")) == 1
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["audit.pem"]


def test_a_new_machines_key_stands_beside_the_old_one(tmp_path):
    """What the lost key signed still verifies: its public half is kept under its own name."""
    old, new = (own_key("audit", tmp_path / place, tmp_path / "own", env={}) for place in ("old", "new"))
    assert set(public_keys("audit", tmp_path / "own").values()) == {old.public_key, new.public_key}


def test_the_environment_may_bring_the_key(tmp_path):
    """A job without a configuration of its own gets it as PEM; nothing is written for it but the public half."""
    own_key("portal", tmp_path / "keys", env={})
    pem = (tmp_path / "keys" / "portal.pem").read_text()
    found = own_key("portal", tmp_path / "none", env={"LENS_PORTAL_KEY": pem})
    assert found.public_key == own_key("portal", tmp_path / "keys", env={}).public_key
    assert not (tmp_path / "none").exists()
    with pytest.raises(InvalidInput, match="LENS_PORTAL_KEY") as told:
        own_key("portal", tmp_path / "none", env={"LENS_PORTAL_KEY": "secret words"})
    assert "secret words" not in str(told.value)


def test_homes_have_keys_of_their_own_outside_of_them(tmp_path):
    """Each home's lie in a folder of the user's configuration, unless one is named."""
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    one, other = (key_folder(tmp_path / home, env=env) for home in ("a", "b"))
    assert one != other
    assert one.parent == tmp_path / "config" / "lens"
    assert key_folder(tmp_path / "a", "/secure/keys", env) == Path("/secure/keys")


def test_no_key_is_made_in_a_repository(tmp_path):
    """It would be published one day."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(InvalidInput, match="git work tree"):
        own_key("audit", tmp_path / "keys", env={})


def test_a_public_half_that_is_none_is_said(tmp_path):
    """Something else in its place is not passed over: who signed would be unknown."""
    (tmp_path / "audit.pem").write_text("no key")
    with pytest.raises(IntegrityError, match="something else"):
        public_keys("audit", tmp_path)
