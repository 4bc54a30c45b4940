"""The manifest: what it can say, and that it says it in one way."""

import subprocess

import pytest

from lens_core.errors import InvalidInput
from lens_core.supply.manifest import FORMAT, Entry, build, decode, sign, signed_bytes, sums
from study.cuts import SeededSigner
from study.mutants import sha256

KEY = SeededSigner(1).key_id
ENTRIES = [Entry("b/c.txt", 1, sha256(b"c")), Entry("SHA256SUMS", 2, sha256(b"s")), Entry("a", 0, sha256(b""))]


def built(entries=ENTRIES, **said):
    """A manifest of ``entries``."""
    return build(entries, **{"version": "1.0.0-rc.1", "commit": "5e" * 20, "key": KEY} | said)


def test_what_is_built_is_decoded_in_order():
    """Entries come back sorted by name, whatever order they were given in."""
    found = decode(built())
    assert found.entries == tuple(sorted(ENTRIES))
    assert (found.version, found.commit, found.key) == ("1.0.0-rc.1", "5e" * 20, KEY)
    assert built(ENTRIES[::-1]) == built()
    assert found.by_name["b/c.txt"].size == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        "a\\b",
        "a\nb",
        "a\0",
        "a b",
        '"',
        "-a",
        "é",
        ".a",
        "manifest.json",
    ],
)
def test_names_that_no_cut_has_are_refused(name):
    """Names are relative, plain and of one form; the manifest names neither itself nor its signature."""
    with pytest.raises(InvalidInput, match=r"manifest\.json"):
        built([Entry(name, 1, "0" * 64)])


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], {}),
        ([ENTRIES[0], ENTRIES[0]], {}),
        ([Entry("a", -1, "0" * 64)], {}),
        ([Entry("a", True, "0" * 64)], {}),  # noqa: FBT003  (no number either)
        ([Entry("a", 1.5, "0" * 64)], {}),
        ([Entry("a", 2**53, "0" * 64)], {}),
        ([Entry("a", 1, "0" * 63)], {}),
        ([Entry("a", 1, "A" * 64)], {}),
        (ENTRIES, {"version": ""}),
        (ENTRIES, {"version": "1.0\n"}),
        (ENTRIES, {"commit": "5e" * 19}),
        (ENTRIES, {"commit": "5E" * 20}),
        (ENTRIES, {"key": "rsa:1"}),
    ],
)
def test_what_cannot_be_read_is_not_built(entries, said):
    """No files, names twice, sizes that are none, wrong digests, versions, commits and keys are refused."""
    with pytest.raises(InvalidInput):
        built(entries, **said)


def test_sums_are_what_sha256sum_reads(tmp_path):
    """SHA256SUMS names every file but itself, and ``sha256sum --check --strict`` takes it."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.txt").write_bytes(b"c")
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "SHA256SUMS").write_bytes(sums(ENTRIES))
    assert b"SHA256SUMS" not in sums(ENTRIES)
    said = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=True
    )
    assert said.stdout == b"a: OK\nb/c.txt: OK\n"


def test_the_signature_is_over_domain_and_bytes():
    """What is signed begins with the domain, so no other message of the key can be taken for a manifest."""
    assert signed_bytes(b"{}") == FORMAT.encode() + b"\n{}"


def test_a_signer_that_gives_no_signature_is_refused():
    """A signature of another length is not written."""

    class Lame:
        public_key = bytes(32)

        def sign(self, message):
            return b"short"

    with pytest.raises(InvalidInput, match="64 bytes, saw 5"):
        sign(b"{}", Lame())
