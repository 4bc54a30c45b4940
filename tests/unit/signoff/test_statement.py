"""What people sign: one statement has one sequence of bytes, and no other is read."""

import json
from dataclasses import replace
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signing_off import NOW, stated, unsigned_case

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.signoff.statement import decode, encode
from lens_core.signoff.words import Act, Role
from lens_core.supply import canonical

STATEMENT = stated(unsigned_case(waivers=("CVE-1 of pkg:pypi/a@1",)), claims={"email": "cleo@example.org"})
moments = st.datetimes(timezones=st.just(UTC))
words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S"), include_characters=" "), max_size=30)


def changed(**members):
    """The statement's bytes with other members, canonical again."""
    return canonical.encode({**json.loads(encode(STATEMENT)), **members})


@given(
    st.sampled_from(Act),
    st.none() | st.sampled_from(Role),
    words,
    st.dictionaries(words.filter(bool), words, max_size=3),
    moments,
    st.none() | moments,
)
def test_what_was_written_is_read_back(act, role, reason, claims, at, expires):
    """Encoding and decoding give the very same statement, and the very same bytes."""
    one = replace(STATEMENT, act=act, role=role, reason=reason, claims=claims, at=at, expires=expires)
    assert decode(encode(one)) == one
    assert encode(decode(encode(one))) == encode(one)


def test_one_moment_has_one_spelling():
    """A time of another zone is written in UTC; one without a zone is no moment."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert encode(replace(STATEMENT, at=elsewhere)) == encode(replace(STATEMENT, at=NOW))
    with pytest.raises(InvalidInput, match="with its zone"):
        encode(replace(STATEMENT, at=NOW.replace(tzinfo=None)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        encode(STATEMENT) + b"\n",
        b" " + encode(STATEMENT),
        encode(STATEMENT).replace(b'"act":"approve"', b'"act":"approve","act":"approve"'),
        encode(STATEMENT).replace(b'"act":"approve"', b'"act":"\\u0061pprove"'),
        changed(format="lens.signoff/2"),
        changed(act="promote"),
        changed(act=None),
        changed(role="root"),
        changed(role=["qa"]),
        changed(person=""),
        changed(person=1),
        changed(nonce=""),
        changed(at="2026-11-26T11:00:00Z"),
        changed(at="2026-13-26T11:00:00.000000Z"),
        changed(at="٢026-11-26T11:00:00.000000Z"),
        changed(expires=None),
        changed(refers="sha256:abc"),
        changed(claims=[]),
        changed(claims={"email": 1}),
        changed(waived=None),
        changed(more="of it"),
        changed(dossier={}),
        changed(dossier={**STATEMENT.dossier.document(), "candidate": "1.2.0"}),
        changed(dossier={**STATEMENT.dossier.document(), "nights": "all"}),
        changed(dossier={**STATEMENT.dossier.document(), "waivers": [1]}),
        changed(reason="it\x1b[31m is red"),
        changed(reason="safe\u202eefas ton"),
        changed(person="ada\u200b@example.org"),
        changed(reason="x" * (1 << 20)),
    ],
)
def test_nothing_else_is_read(content):
    """Other spellings, other members, other types, and text that a terminal would show otherwise are no statement."""
    with pytest.raises(IntegrityError):
        decode(content)


def test_a_statement_that_could_not_be_read_back_is_not_written():
    """Whoever draws up a statement learns of hidden characters before they sign."""
    with pytest.raises(InvalidInput, match="reason"):
        encode(replace(STATEMENT, reason="fine\x07"))


def test_every_member_changes_the_bytes():
    """Nothing of a statement, its dossier included, can change without another digest."""
    others = [
        changed(person="eve@example.org"),
        changed(reason="I did not look"),
        changed(nonce="another"),
        changed(expires=""),
        *(
            changed(dossier={**STATEMENT.dossier.document(), name: ["other"] if isinstance(value, list) else "other"})
            for name, value in STATEMENT.dossier.document().items()
            if name != "candidate"
        ),
    ]
    assert len({encode(STATEMENT), *(encode(decode(other)) for other in others)}) == len(others) + 1
