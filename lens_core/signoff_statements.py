"""What is asked of a signed statement itself, when it comes and whenever it is read again: who really says it."""

from datetime import datetime

from lens_core.errors import IntegrityError
from lens_core.signoff.statement import decode
from lens_core.signoff.words import Method, Person, Recorded, Signed, Statement
from lens_core.signoff_ports import Kept, SignatureCheck


def signer_faults(
    signed: Signed, statement: Statement, signatures: SignatureCheck, people: tuple[Person, ...], at: datetime
) -> tuple[str, ...]:
    """Every reason why ``signed`` is not the word of the person whom it names, ``at`` a moment; each with its code."""
    person = next((one for one in people if one.name == statement.person), None)
    if person is None:
        return (f"person: [signoff] of lens.toml names nobody who is called {statement.person}",)
    faults = []
    if not signatures.method_allowed(person.name, signed.method):
        faults.append(f"method: {person.name} may not sign by {signed.method}")
    if fault := signatures.fault(signed, person.name, at):
        faults.append(f"signature: {fault}")
    if fault := _claims_fault(statement, signed.method, person):
        faults.append(f"claims: {fault}")
    return tuple(faults)


def recorded(kept: Kept, signatures: SignatureCheck, people: tuple[Person, ...]) -> Recorded:
    """A statement of the ledger, with why it is not believed today; IntegrityError when it is no statement (any more).

    Its key must have been the person's when it was recorded, and must not be revoked now.
    """
    statement = decode(kept.signed.content)
    seen = (statement.act, statement.person, statement.dossier.candidate)
    expected = (kept.act, kept.person, str(kept.candidate))
    if seen != expected:
        raise IntegrityError(
            f"expected statement {kept.signed.digest} to be {' '.join(expected)}, saw {' '.join(seen)}",
            "somebody changed the ledger: `lens audit verify` says what",
        )
    faults = signer_faults(kept.signed, statement, signatures, people, kept.recorded_at)
    signed = kept.signed
    return Recorded(statement, signed.digest, signed.key, signed.method, kept.recorded_at, "; ".join(faults))


def _claims_fault(statement: Statement, method: Method, person: Person) -> str:
    """Only the portal speaks of what a provider said, and what it said must be about this very person."""
    claims = statement.claims
    if method is Method.SSH:
        return "expected none in a statement that is signed by an SSH key, saw some" if claims else ""
    if claims.get("email", "").casefold() not in {email.casefold() for email in person.emails}:
        return f"expected an address of {person.name}, saw {claims.get('email') or 'none'}"
    if claims.get("email_verified") != "true":
        return f"the provider does not say that {claims['email']} is verified"
    if not claims.get("iss"):
        return "expected the provider that vouches for the person (iss), saw none"
    until = claims.get("exp", "")
    if not until.isdecimal() or statement.at.timestamp() >= int(until):
        return (
            f"expected a word of the provider that held at {statement.at:%Y-%m-%d %H:%M} UTC, saw exp {until or 'none'}"
        )
    return ""
