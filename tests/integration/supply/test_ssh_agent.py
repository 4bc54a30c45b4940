"""Signing with a key that an ssh-agent holds: the real one, and ones that misbehave."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lens_core.adapters.keys import signer
from lens_core.adapters.ssh_agent import AgentSigner, agent_keys, agent_signer, ssh_fingerprint
from lens_core.errors import InvalidInput, Unavailable
from lens_core.supply.manifest import signed_bytes
from lens_core.supply.signatures import is_signed, key_id

KEY = ed25519.Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()


@pytest.fixture
def short():
    """A folder whose path is short enough for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="lens-agent-") as folder:
        yield Path(folder)


@pytest.fixture
def agent(short):
    """A real ssh-agent without keys: its socket."""
    if shutil.which("ssh-agent") is None:
        if os.environ.get("CI"):
            pytest.fail("expected ssh-agent, saw none: install openssh-client")
        pytest.skip("ssh-agent is not installed")
    place = short / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.PIPE) as running:
        running.stdout.readline()  # it prints where it listens once it does
        yield place
        running.terminate()


def added(agent, short, key=KEY):
    """The agent, with ``key`` added by ssh-add."""
    file = short / "id"
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    command = ["ssh-add", "-q", str(file)]
    subprocess.run(command, env={**os.environ, "SSH_AUTH_SOCK": str(agent)}, check=True, capture_output=True)
    return agent


def test_the_real_agent_signs(agent, short):
    """A key is chosen by the fingerprint that ssh-add prints, or by our id, and its signature holds."""
    added(agent, short, ed25519.Ed25519PrivateKey.generate())
    added(agent, short)
    env = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
    told = subprocess.run(["ssh-add", "-l"], env=env, check=True, capture_output=True, text=True).stdout
    assert set(agent_keys(agent)) == {line.split()[1] for line in told.splitlines()}
    message = signed_bytes(b"{}" * 2000)
    for name in (ssh_fingerprint(PUBLIC), key_id(PUBLIC)):
        chosen = signer(None, env, name)
        assert chosen.public_key == PUBLIC
        assert chosen.sign(message) == KEY.sign(message)
        assert is_signed(PUBLIC, chosen.sign(message), message)


def test_a_key_that_the_agent_has_not_is_named(agent, short):
    """Without the key, the error names those that there are; of none it says so."""
    with pytest.raises(InvalidInput, match="saw none"):
        agent_signer(agent, ssh_fingerprint(PUBLIC))
    added(agent, short)
    with pytest.raises(InvalidInput, match=re.escape(f"saw {ssh_fingerprint(PUBLIC)[:20]}")):
        agent_signer(agent, "SHA256:another")


def test_an_agent_that_forgot_the_key_gives_no_signature(agent, short):
    """After ``ssh-add -D`` the agent refuses, which is no signature."""
    chosen = agent_signer(added(agent, short), key_id(PUBLIC))
    env = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
    subprocess.run(["ssh-add", "-q", "-D"], env=env, check=True, capture_output=True)
    with pytest.raises(Unavailable, match="expected a signature from the agent"):
        chosen.sign(b"x")


def test_without_an_agent_it_is_said(short):
    """No socket named, and a socket that nobody listens at, are errors of their own."""
    with pytest.raises(InvalidInput, match="SSH_AUTH_SOCK"):
        signer(None, {}, "SHA256:x")
    with pytest.raises(Unavailable, match="does not answer"):
        agent_keys(short / "nobody")


@contextmanager
def answering(place, answer):
    """An agent that answers one request with ``answer``, whatever was asked, and closes."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen()

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield place
        thread.join()


def string(content):
    """A string as the protocol writes it."""
    return len(content).to_bytes(4, "big") + content


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0",
        string(b""),
        string(b"\x05"),
        b"\xff\xff\xff\xff",
        string(b"\x0e"),
        string(b"\x0e" + string(string(b"ssh-rsa") + string(bytes(64)))),
        string(b"\x0e" + string(string(b"ssh-ed25519") + string(bytes(64)))),
        string(b"\x0e" + string(string(b"ssh-ed25519") + string(KEY.sign(b"another message")))),
        string(b"\x0e" + string(string(b"ssh-ed25519") + string(bytes(3)))),
        string(b"\x0e" + string(string(b"ssh-ed25519") + string(bytes(64)))[:-1]),
    ],
    ids=range(11),
)
def test_an_agent_that_lies_gives_no_signature(short, answer):
    """Whatever an agent sends, only a signature that holds is one."""
    with answering(short / "liar", answer) as place, pytest.raises(Unavailable):
        AgentSigner(place, PUBLIC, timeout_s=10).sign(b"a message")


def test_keys_of_other_kinds_are_passed_over(short):
    """An agent's RSA and hardware keys are not offered; a list that ends too soon is an error."""
    ours = string(string(b"ssh-ed25519") + string(PUBLIC)) + string(b"comment")
    others = string(string(b"ssh-rsa") + string(b"\3")) + string(b"")
    with answering(short / "agent", string(b"\x0c" + (2).to_bytes(4, "big") + others + ours)) as place:
        assert agent_keys(place) == {ssh_fingerprint(PUBLIC): PUBLIC}
    with (
        answering(short / "short", string(b"\x0c" + (2).to_bytes(4, "big") + ours)) as place,
        pytest.raises(Unavailable, match="more bytes"),
    ):
        agent_keys(place)
    with answering(short / "odd", string(b"\x05")) as place, pytest.raises(Unavailable, match="the agent's keys"):
        agent_keys(place)
