"""What people sign: a statement as canonical JSON, of which one and only one sequence of bytes exists."""

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.signoff.words import Act, Dossier, Role, Statement
from lens_core.supply import canonical, shape

FORMAT = "lens.signoff/1"

_WHAT = "the statement"
_AT_MOST = 1 << 20
"""Bytes: a dossier has some kilobytes, and whoever sends more wants something else."""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_UNSEEN = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
"""Control characters, and those that hide or turn around the text beside them: a terminal shows what was signed."""
_WORD = re.compile(f"[^{_UNSEEN}]*")
_WORDS = re.compile(f"(?:[^{_UNSEEN}]|\n)*")
_SAID = re.compile(f"[^{_UNSEEN}]+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFERS = re.compile(r"(?:sha256:[0-9a-f]{64})?")
_MEMBERS = (
    "format",
    "act",
    "person",
    "role",
    "dossier",
    "at",
    "expires",
    "reason",
    "nonce",
    "refers",
    "claims",
    "waived",
)
_LISTS = frozenset({"nights", "policies", "waivers", "findings"})


def encode(statement: Statement) -> bytes:
    """Its canonical JSON: what is signed, hashed and kept. InvalidInput for what ``decode`` would refuse."""
    content = canonical.encode(
        {
            "format": FORMAT,
            "act": statement.act.value,
            "person": statement.person,
            "role": statement.role.value if statement.role else "",
            "dossier": statement.dossier.document(),
            "at": _written(statement.at),
            "expires": _written(statement.expires) if statement.expires else "",
            "reason": statement.reason,
            "nonce": statement.nonce,
            "refers": statement.refers,
            "claims": dict(statement.claims),
            "waived": dict(statement.waived),
        }
    )
    try:
        decode(content)
    except IntegrityError as error:
        raise InvalidInput(f"expected a statement that can be read back: {error.message}") from error
    return content


def decode(content: bytes) -> Statement:
    """Read what ``encode`` wrote; IntegrityError for anything else, other bytes of the same statement included."""
    if len(content) > _AT_MOST:
        raise IntegrityError(f"{_WHAT}: expected at most {_AT_MOST} bytes, saw {len(content)}")
    document = shape.members(canonical.decode(content, _WHAT), _MEMBERS, _WHAT)
    shape.exactly(document["format"], FORMAT, f"{_WHAT}: format")
    try:
        act, role = Act(document["act"]), Role(document["role"]) if document["role"] else None
    except ValueError as error:
        raise IntegrityError(f"{_WHAT}: {error}") from error
    at, expires = _time(document["at"], "at"), document["expires"]
    return Statement(
        act=act,
        person=_text(document["person"], _SAID, "person"),
        role=role,
        dossier=_dossier(document["dossier"]),
        at=at,
        expires=None if expires == "" else _time(expires, "expires"),
        reason=_text(document["reason"], _WORDS, "reason"),
        nonce=_text(document["nonce"], _SAID, "nonce"),
        refers=_text(document["refers"], _REFERS, "refers"),
        claims=_texts(document["claims"], "claims"),
        waived=_texts(document["waived"], "waived"),
    )


def _dossier(value: Any) -> Dossier:
    names = [field.name for field in fields(Dossier)]
    document = shape.members(value, names, f"{_WHAT}: dossier")
    _text(document["candidate"], _DIGEST, "dossier: candidate")
    return Dossier(**{name: _member(name, document[name]) for name in names})


def _member(name: str, value: Any) -> Any:
    where = f"dossier: {name}"
    if name not in _LISTS:
        return _text(value, _WORD, where)
    if not isinstance(value, list):
        raise IntegrityError(f"{_WHAT}: {where}: expected an array, saw {type(value).__name__}")
    return tuple(_text(item, _SAID, where) for item in value)


def _texts(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise IntegrityError(f"{_WHAT}: {where}: expected an object, saw {type(value).__name__}")
    return {_text(name, _SAID, where): _text(text, _WORDS, f"{where}: {name}") for name, text in value.items()}


def _text(value: Any, pattern: re.Pattern[str], where: str) -> str:
    return shape.text(value, pattern, f"{_WHAT}: {where}")


def _written(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise InvalidInput(f"expected a time with its zone, saw {moment}")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _time(value: Any, where: str) -> datetime:
    text = _text(value, _TIME, where)
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise IntegrityError(f"{_WHAT}: {where}: expected a time, saw {text!r}") from error
