"""Provenance in its envelope: typed, canonical, signed once, and nothing else taken for it."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from crooked_cuts import SHAPE, SIGNER, STRANGER, TRUSTED

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.supply import canonical, envelope, statement
from lens_core.supply.statement import LOCAL_BUILDER, Material, Subject
from study.cuts import files_of, provenance_of

MADE = provenance_of(SHAPE, files_of(SHAPE))
PAYLOAD = statement.encode(MADE)


def test_what_is_encoded_is_decoded():
    """Provenance comes back as it was, with the types of the specifications around it."""
    document = json.loads(PAYLOAD)
    assert statement.decode(PAYLOAD) == MADE
    assert (document["_type"], document["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert document["predicate"]["runDetails"]["metadata"]["startedOn"] == "2026-11-24T02:00:00Z"


def test_times_are_written_in_utc():
    """A moment of another zone is written as the same moment in UTC; one of none is refused."""
    east = datetime(2026, 11, 24, 4, 0, tzinfo=timezone(timedelta(hours=2)))
    assert statement.decode(statement.encode(replace(MADE, started=east))) == MADE
    with pytest.raises(InvalidInput, match="UTC"):
        statement.encode(replace(MADE, started=datetime(2026, 11, 24)))  # noqa: DTZ001


@pytest.mark.parametrize(
    "change",
    [
        {"subjects": ()},
        {"subjects": (Subject("a", "0" * 64), Subject("a", "1" * 64))},
        {"subjects": (Subject("a", "0" * 63),)},
        {"subjects": (Subject('a"b', "0" * 64),)},
        {"materials": ()},
        {"materials": (Material("no uri", "sha256", "0" * 64),)},
        {"materials": (Material("pkg:pypi/a@1", "md5", "0" * 32),)},
        {"materials": (Material("git+file:a", "gitCommit", "0" * 39),)},
        {"external": {"version": "1"}},
        {"external": {"commit": "1"}},
        {"external": {"version": 1, "commit": "1"}},
        {"external": {"version": "1", "commit": "1", "subject": "a"}},
        {"external": {"version": "1", "commit": "1", "Upper": "a"}},
        {"internal": {"nested": {"a": 1}}},
        {"internal": {"a": "{}"}},
        {"internal": {"a": None}},
        {"builder": "me"},
        {"build_type": ""},
        {"invocation": "two\nlines"},
        {"finished": datetime(2026, 11, 24, 1, 59, tzinfo=UTC)},
    ],
)
def test_what_cannot_be_read_is_not_signed(change):
    """Provenance without subjects, materials, version or commit, or with words that do not hold, is refused."""
    with pytest.raises(InvalidInput):
        statement.encode(replace(MADE, **change))


def test_impossible_moments_are_refused():
    """The 31st of February is no moment."""
    with pytest.raises(IntegrityError, match="expected a moment"):
        statement.decode(PAYLOAD.replace(b"2026-11-24T02:00", b"2026-02-31T02:00"))


def test_the_level_is_that_of_the_builder():
    """Locally level 1; a hosted builder's own; an unknown one claims nothing."""
    hosted = {"https://builds.example/release.yml": 3}
    assert MADE.builder == LOCAL_BUILDER
    assert MADE.level(hosted) == 1
    assert replace(MADE, builder="https://builds.example/release.yml").level(hosted) == 3
    assert replace(MADE, builder="https://other.example/release.yml").level(hosted) == 0


def test_an_envelope_is_opened_with_the_key_that_signed_it():
    """The payload comes back, byte for byte."""
    signed = envelope.sign(PAYLOAD, SIGNER)
    assert envelope.open_envelope(signed, TRUSTED) == PAYLOAD
    assert json.loads(signed)["signatures"][0]["keyid"] == SIGNER.key_id


def test_an_envelope_is_not_opened_with_another_key():
    """Neither an unknown key opens it, nor a stranger's signature under a trusted key's name."""
    with pytest.raises(IntegrityError, match=f"saw that of {STRANGER.key_id}"):
        envelope.open_envelope(envelope.sign(PAYLOAD, STRANGER), TRUSTED)
    forged = envelope.sign(PAYLOAD, STRANGER).replace(STRANGER.key_id.encode(), SIGNER.key_id.encode())
    with pytest.raises(IntegrityError, match="none that holds"):
        envelope.open_envelope(forged, TRUSTED)


def test_every_bit_of_an_envelope_counts():
    """Each flipped bit is refused: the padding bits of base64 too, which plain DSSE lets pass."""
    signed = envelope.sign(b"a short payload", SIGNER)  # 15 bytes: no padding there, but in the signature
    for bit in range(8 * len(signed)):
        changed = bytearray(signed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IntegrityError):
            envelope.open_envelope(bytes(changed), TRUSTED)


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "application/json"},
        {"payload": 1},
        {"payload": "=" * 4},
        {"payload": "é"},
        {"payload": base64.b64encode(PAYLOAD).decode() + "\n"},
        {"signatures": []},
        {"signatures": {}},
        {"signatures": [{"keyid": "", "sig": ""}]},
        {"signatures": [{"keyid": SIGNER.key_id, "sig": ""}]},
        {"signatures": [{"keyid": SIGNER.key_id, "sig": "AA==", "cert": ""}]},
        {"more": 1},
    ],
)
def test_other_envelopes_are_refused(change):
    """Other types, members, signatures and base64 are not taken for an envelope of ours."""
    document = json.loads(envelope.sign(PAYLOAD, SIGNER)) | change
    with pytest.raises(IntegrityError, match="the envelope"):
        envelope.open_envelope(canonical.encode(document), TRUSTED)
