"""Who stands before a page: only whom the configured provider vouches for, at an address that lens.toml names."""

from datetime import timedelta

import pytest
from signing_off import NOW, PEOPLE

from portal.identity import NOBODY, recognise
from tests.portal.desk_stand import ISSUER, user

_ISSUERS = {"default": ISSUER}


def test_a_verified_address_of_the_configured_provider_is_its_person() -> None:
    """Address, issuer and verification together make a person, whatever the case of the letters."""
    who = recognise(user("Bob@Example.org"), _ISSUERS, PEOPLE)
    assert who.person is PEOPLE[1]
    assert who.faults == ()
    assert who.faults_at(NOW) == ()


def test_a_second_address_is_the_same_person() -> None:
    """Somebody with two addresses is one person: they cannot be two of the four."""
    assert recognise(user("daniel@example.org"), _ISSUERS, PEOPLE).person is PEOPLE[3]


def test_an_issuer_may_end_with_a_slash() -> None:
    """Some providers end their name with a slash that the address of their metadata does not show."""
    assert recognise(user("bob@example.org", iss=ISSUER + "/"), _ISSUERS, PEOPLE).faults == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iss": "https://elsewhere.example"}, "saw that of https://elsewhere.example"),
        ({"iss": ""}, "saw that of nobody"),
        ({"iss": ISSUER + ".evil.example"}, "expected the word of the configured provider"),
        ({"provider": "other"}, "expected the word of the configured provider (none)"),
        ({"email_verified": False}, "does not say that bob@example.org is verified"),
        ({"email_verified": "true"}, "does not say that bob@example.org is verified"),
        ({"email_verified": 1}, "does not say that bob@example.org is verified"),
        ({"email_verified": None}, "does not say that bob@example.org is verified"),
        ({"email": "mallory@example.org"}, "names nobody with the address mallory@example.org"),
        ({"email": None}, "names no e-mail address"),
        ({"email": ["bob@example.org"]}, "names no e-mail address"),
        ({"exp": None}, "until when its word holds"),
        ({"exp": True}, "until when its word holds"),
        ({"exp": "tomorrow"}, "until when its word holds"),
        ({"exp": 1e300}, "until when its word holds"),
    ],
)
def test_whatever_is_missing_of_an_identity_is_named(changes: dict[str, object], words: str) -> None:
    """A claim that is absent, of another kind or of another issuer makes nobody who can sign."""
    who = recognise(user("bob@example.org", **changes), _ISSUERS, PEOPLE)
    assert any(words in fault for fault in who.faults), who.faults


@pytest.mark.parametrize("said", [{}, {"is_logged_in": False}, {"is_logged_in": "yes", "email": "bob@example.org"}])
def test_somebody_who_is_not_signed_in_is_nobody(said: dict[str, object]) -> None:
    """Claims without a sign-in are those of nobody."""
    assert recognise(said, _ISSUERS, PEOPLE) == NOBODY
    assert NOBODY.faults


def test_a_sign_in_ends_when_the_provider_says() -> None:
    """A cookie that lives for a month signs no longer than the provider's own word holds."""
    who = recognise(user("bob@example.org"), _ISSUERS, PEOPLE)
    assert who.faults_at(NOW + timedelta(minutes=54)) == ()
    assert "sign in again" in who.faults_at(NOW + timedelta(minutes=55))[0]


def test_claims_are_kept_as_texts_and_no_others_are() -> None:
    """What goes into a statement names who vouched for whom, and nothing private beside it."""
    said = user("bob@example.org", picture="https://id.example.org/bob.png", aud=["lens", "other"])
    claims = recognise(said, _ISSUERS, PEOPLE).claims or {}
    assert claims["email_verified"] == "true"
    assert claims["iss"] == ISSUER
    assert claims["aud"] == "lens other"
    assert "picture" not in claims
    assert all(isinstance(value, str) for value in claims.values())
