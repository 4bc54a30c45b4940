"""Statements signed by the portal's own key, and who may use that way."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from signing import allowed, hand

from lens_core.adapters.keys import PrivateKeySigner
from lens_core.adapters.portal_signatures import PortalSigner, StatementSignatures
from lens_core.adapters.ssh_signatures import SshSignatures
from lens_core.errors import IntegrityError
from lens_core.signoff.words import Method, Person, Role
from lens_core.supply.signatures import key_id

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)

ADA = hand()
PORTAL, OTHER = (PrivateKeySigner(Ed25519PrivateKey.generate()) for _ in range(2))
PEOPLE = (Person("ada", (Role.PLATFORM,), ("ada@example.org",)), Person("bob", (Role.QA,)))


@pytest.fixture
def check(tmp_path):
    """Ada's key, and that of the portal."""
    ssh = SshSignatures(allowed(tmp_path / "allowed_signers", {"ada": ADA}))
    return StatementSignatures(ssh, lambda: {key_id(PORTAL.public_key): PORTAL.public_key}, PEOPLE)


def test_the_portal_signs_for_whom_it_knows(check):
    """Its signature verifies under its own key, for people with an address only."""
    signed = PortalSigner(PORTAL).sign(b"{}")
    assert signed.method is Method.PORTAL
    assert check.fault(signed, "ada", AT) == ""
    assert check.method_allowed("ada", Method.PORTAL)
    assert check.method_allowed("bob", Method.SSH)
    assert not check.method_allowed("bob", Method.PORTAL)
    assert not check.method_allowed("eve", Method.SSH)


def test_ways_do_not_pass_for_each_other(check):
    """An SSH signature is none of the portal's and the other way round; each is asked by its own rule."""
    ssh, portal = ADA.sign(b"{}"), PortalSigner(PORTAL).sign(b"{}")
    assert check.fault(ssh, "ada", AT) == ""
    assert "a key of the portal's" in check.fault(replace(ssh, method=Method.PORTAL), "ada", AT)
    assert "saw other bytes" in check.fault(replace(portal, method=Method.SSH), "ada", AT)


def test_other_keys_and_other_bytes_are_refused(check):
    """Another portal's key, other content, a bare signature without the domain, and a key that is only claimed."""
    signed = PortalSigner(PORTAL).sign(b"{}")
    bare = replace(signed, signature=PORTAL.sign(b"{}"))
    claimed = replace(PortalSigner(OTHER).sign(b"{}"), key=signed.key)
    assert "a key of the portal's" in check.fault(PortalSigner(OTHER).sign(b"{}"), "ada", AT)
    for wrong in (replace(signed, content=b"{ }"), bare, claimed):
        assert check.fault(wrong, "ada", AT) == "the portal's signature is not one over these bytes"


def test_a_portal_that_may_not_sign_signs_for_nobody(tmp_path):
    """Without signoff.portal_signs, or without a key that can be used, nothing of the portal's is believed."""
    ssh = SshSignatures(tmp_path / "none")
    signed = PortalSigner(PORTAL).sign(b"{}")
    off = StatementSignatures(ssh, None, PEOPLE)
    assert "may not sign here" in off.fault(signed, "ada", AT)
    assert not off.method_allowed("ada", Method.PORTAL)

    def damaged():
        raise IntegrityError("portal.pem is no key")

    assert "portal.pem is no key" in StatementSignatures(ssh, damaged, PEOPLE).fault(signed, "ada", AT)
    assert "(none)" in StatementSignatures(ssh, dict, PEOPLE).fault(signed, "ada", AT)
