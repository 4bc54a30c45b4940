"""A cut in a real folder: what is seen there, what bash says to it, and that nobody asks the network."""

import os
import subprocess
import sys

import pytest
from crooked_cuts import SHAPE, SIGNER, STRANGER, TRUSTED
from cuts_on_disk import SCRIPT, ask_bash, write_cut

from lens_core.adapters.cut_folder import CutFolder, verifier_script
from lens_core.errors import InvalidInput, Unavailable
from lens_core.supply.manifest import MANIFEST
from lens_core.supply.sealed import verify
from lens_core.supply.signatures import pem_of
from lens_core.supply.tree import MAX_READ, Kind
from study.cuts import entries_of, sealed_cut


@pytest.fixture
def cut(tmp_path):
    """A sealed cut in a folder."""
    return write_cut(tmp_path / "cut", sealed_cut(SHAPE, SIGNER))


@pytest.fixture
def key(tmp_path):
    """The public key that sealed it, as PEM."""
    file = tmp_path / "key.pem"
    file.write_bytes(pem_of(SIGNER.public_key))
    return file


def test_both_verifiers_accept_it(cut, key):
    """A whole cut stands for Lens and for bash, asked for its version or not."""
    assert verify(CutFolder(cut), TRUSTED, version=SHAPE.version).stands
    for options in ((), ("-v", SHAPE.version)):
        code, words = ask_bash(cut, key, *options)
        assert code == 0, words
        assert f"every byte of {SHAPE.version} (commit {SHAPE.commit}) is as {SIGNER.key_id} signed it" in words


def test_what_is_no_regular_file_is_seen(tmp_path):
    """Links, pipes and empty folders are listed as what they are, and not followed."""
    (tmp_path / "deep" / "empty").mkdir(parents=True)
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").symlink_to("deep")
    os.mkfifo(tmp_path / "pipe")
    found = CutFolder(tmp_path).files()
    assert {name: (seen.kind, seen.size) for name, seen in found.items()} == {
        "deep/empty": (Kind.FOLDER, 0),
        "file": (Kind.REGULAR, 5),
        "link": (Kind.SYMLINK, 0),
        "folder": (Kind.SYMLINK, 0),
        "pipe": (Kind.OTHER, 0),
    }


def test_what_was_exchanged_after_listing_is_not_read(tmp_path):
    """A link or a pipe in a file's place is not opened, let alone waited for."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "none"):
        with pytest.raises(Unavailable, match=name):
            CutFolder(tmp_path).read(name)
        with pytest.raises(Unavailable, match=name):
            CutFolder(tmp_path).digests([name])


def test_a_file_as_large_as_none_of_the_seal_is_not_read(tmp_path):
    """More than MAX_READ bytes are not taken into memory."""
    with (tmp_path / "manifest.json").open("wb") as file:
        file.truncate(MAX_READ + 1)
    with pytest.raises(Unavailable, match="at most"):
        CutFolder(tmp_path).read("manifest.json")
    (tmp_path / "manifest.sig").write_bytes(bytes(64))
    [fault] = verify(CutFolder(tmp_path), TRUSTED).faults
    assert (fault.artifact, fault.expected) == (MANIFEST, f"at most {MAX_READ:,} bytes")


def test_entries_are_those_of_the_manifest(cut):
    """A folder gives the entries that a cut is sealed with."""
    names = [name for name in CutFolder(cut).files() if name.startswith("dist/")]
    files = sealed_cut(SHAPE, SIGNER)
    assert list(CutFolder(cut).entries(names)) == sorted(entries_of({name: files[name] for name in names}))


def test_no_folder_is_no_cut(tmp_path):
    """A path that is no folder is the caller's mistake, for both."""
    with pytest.raises(InvalidInput, match="expected the folder of a cut"):
        CutFolder(tmp_path / "none").files()


def test_the_script_that_is_shipped_is_short_and_the_one_that_is_tested():
    """The verifier has at most 100 lines, and the bytes for a cut are those of the file."""
    assert verifier_script() == SCRIPT.read_bytes()
    assert len(verifier_script().splitlines()) <= 100
    assert max(map(len, verifier_script().decode().splitlines())) <= 130


def test_bash_needs_to_be_asked_rightly(cut, key, tmp_path):
    """Without a key, with one of another kind, or without a folder, bash says how to ask and accepts nothing."""
    other = tmp_path / "rsa.pem"
    made = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout
    other.write_bytes(subprocess.run(["openssl", "rsa", "-pubout"], input=made, capture_output=True, check=True).stdout)
    for asked in (
        [str(cut)],
        ["-k", str(other), str(cut)],
        ["-k", str(tmp_path / "none"), str(cut)],
        ["-k", str(key), str(tmp_path / "none")],
        ["-k", str(key), str(cut), str(cut)],
        ["-x"],
    ):
        done = subprocess.run(["bash", str(SCRIPT), *asked], capture_output=True, text=True, check=False)
        assert (done.returncode, "usage: verify.sh" in done.stderr, done.stdout) == (2, True, "")


def test_bash_refuses_another_key_and_another_version(cut, tmp_path, key):
    """A stranger's key, and a version that was not asked for, are refused with what was seen."""
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(pem_of(STRANGER.public_key))
    assert ask_bash(cut, stranger)[0] == 1
    code, words = ask_bash(cut, key, "-v", "1.0.0-rc.2")
    assert (code, words) == (1, "✕ manifest.json: is of 1.0.0-rc.1, not of 1.0.0-rc.2\n")


def test_bash_runs_where_it_stands(cut, key):
    """Without a folder, bash verifies the one that it is run in."""
    done = subprocess.run(["bash", str(SCRIPT), "-k", str(key)], cwd=cut, capture_output=True, check=False)
    assert done.returncode == 0


_OFFLINE = """
import sys
asked = []
sys.addaudithook(lambda event, _: asked.append(event) if event.startswith("socket.") else None)
from pathlib import Path
from lens_core.adapters.cut_folder import CutFolder
from lens_core.supply.sealed import verify
from lens_core.supply.signatures import key_id, public_key_of
public = public_key_of(Path(sys.argv[1]).read_bytes())
assert verify(CutFolder(Path(sys.argv[2])), {key_id(public): public}).stands
assert not asked, asked
import socket
socket.socket(socket.AF_UNIX).close()
assert asked, "the hook would not have seen a socket"
"""


def test_no_socket_is_opened(cut, key):
    """From the imports on, verifying asks the system for no socket; one that is opened would be seen."""
    command = [sys.executable, "-c", _OFFLINE, str(key), str(cut)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_bash_needs_no_network(cut, key):
    """In a network namespace of its own, without even a loopback, bash accepts the cut."""
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("network namespaces may not be made here")
    command = ["unshare", "-n", "bash", str(SCRIPT), "-k", str(key), str(cut)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
