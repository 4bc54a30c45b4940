"""Provenance: an in-toto statement (v1) with SLSA's predicate (v1), as typed values and as canonical bytes.

It says which files came out (subjects), of what (materials), by which build with which parameters, and who ran it.
Texts are plain: no quotes, backslashes, braces or control characters, and parameters do not nest, so that the
verifier in bash can read what it needs without a JSON parser.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.supply import canonical, shape

PROVENANCE = "provenance.dsse.json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:lens:cut-rc:v1"
LOCAL_BUILDER = "urn:lens:builder:local"
"""Whoever ran the command on a machine of their own: SLSA Build level 1, whatever the build was shut off from."""

Plain = str | bool | int | tuple[str, ...]
"""What a parameter may be."""

_PLAIN = re.compile(r'[^\x00-\x1f\x7f"\\{}]*')
_URI = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f"\\{}]+')
_PARAMETER = re.compile(r"(?!subject$)[a-z][a-z0-9_]*")  # the word by which the verifier in bash finds the subjects
_DIGESTS = {"sha256": shape.HEX_SHA256, "gitCommit": re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_WHERE = "the statement"
_HINT = "the statement is not one that `lens cut-rc` writes: do not believe it"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """Something that the build made: its name, its SHA-256 in hex."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Material:
    """Something that went into the build. ``algorithm`` is ``sha256``, or ``gitCommit`` for the source."""

    uri: str
    algorithm: str
    digest: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the subjects come from.

    ``external`` is what the caller asked for and must hold ``version`` and ``commit``; ``internal`` what the builder
    chose itself. ``builder`` is a URI, ``LOCAL_BUILDER`` or that of a hosted workflow; times are UTC, whole seconds.
    """

    subjects: tuple[Subject, ...]
    external: Mapping[str, Plain]
    internal: Mapping[str, Plain]
    materials: tuple[Material, ...]
    builder: str
    invocation: str
    started: datetime
    finished: datetime
    build_type: str = BUILD_TYPE

    def level(self, hosted: Mapping[str, int]) -> int:
        """The SLSA Build level that may be claimed: 1 locally, a hosted builder's by its id, else 0 (first law)."""
        return 1 if self.builder == LOCAL_BUILDER else hosted.get(self.builder, 0)


def encode(provenance: Provenance) -> bytes:
    """The statement's canonical bytes, subjects by name; InvalidInput for what ``decode`` would refuse."""
    content = canonical.encode(
        {
            "_type": STATEMENT_TYPE,
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": {
                    "buildType": provenance.build_type,
                    "externalParameters": dict(provenance.external),
                    "internalParameters": dict(provenance.internal),
                    "resolvedDependencies": [
                        {"uri": m.uri, "name": m.name, "digest": {m.algorithm: m.digest}} for m in provenance.materials
                    ],
                },
                "runDetails": {
                    "builder": {"id": provenance.builder},
                    "metadata": {
                        "invocationId": provenance.invocation,
                        "startedOn": _written(provenance.started),
                        "finishedOn": _written(provenance.finished),
                    },
                },
            },
            "subject": [{"name": s.name, "digest": {"sha256": s.sha256}} for s in sorted(provenance.subjects)],
        }
    )
    try:
        decode(content)
    except IntegrityError as error:
        raise InvalidInput(error.message, "provenance cannot say that") from error
    return content


def decode(content: bytes) -> Provenance:
    """Read a statement; IntegrityError for bytes that ``encode`` would not have written."""
    try:
        return _decoded(canonical.decode(content, _WHERE))
    except IntegrityError as error:
        raise IntegrityError(error.message, error.hint or _HINT) from error


def _decoded(value: Any) -> Provenance:
    document = shape.members(value, ("_type", "predicateType", "predicate", "subject"), _WHERE)
    shape.exactly(document["_type"], STATEMENT_TYPE, f"{_WHERE}: _type")
    shape.exactly(document["predicateType"], PREDICATE_TYPE, f"{_WHERE}: predicateType")
    predicate = shape.members(document["predicate"], ("buildDefinition", "runDetails"), f"{_WHERE}: predicate")
    definition = shape.members(
        predicate["buildDefinition"],
        ("buildType", "externalParameters", "internalParameters", "resolvedDependencies"),
        f"{_WHERE}: buildDefinition",
    )
    details = shape.members(predicate["runDetails"], ("builder", "metadata"), f"{_WHERE}: runDetails")
    builder = shape.members(details["builder"], ("id",), f"{_WHERE}: builder")
    metadata = shape.members(details["metadata"], ("invocationId", "startedOn", "finishedOn"), f"{_WHERE}: metadata")
    external = _parameters(definition["externalParameters"], "externalParameters")
    for name in ("version", "commit"):
        if not external.get(name) or not isinstance(external[name], str):
            raise IntegrityError(f"{_WHERE}: expected externalParameters to name the {name}, saw {sorted(external)}")
    subjects = tuple(_subject(item) for item in shape.items(document["subject"], f"{_WHERE}: subject"))
    names = [subject.name for subject in subjects]
    if names != sorted(set(names)):
        raise IntegrityError(f"{_WHERE}: expected subjects by ascending name, each once, saw {names}")
    started, finished = (_time(metadata[name], name) for name in ("startedOn", "finishedOn"))
    if finished < started:
        raise IntegrityError(f"{_WHERE}: expected it to finish after {started}, saw {finished}")
    return Provenance(
        subjects=subjects,
        external=external,
        internal=_parameters(definition["internalParameters"], "internalParameters"),
        materials=tuple(
            _material(item) for item in shape.items(definition["resolvedDependencies"], f"{_WHERE}: materials")
        ),
        builder=shape.text(builder["id"], _URI, f"{_WHERE}: builder"),
        invocation=shape.text(metadata["invocationId"], _PLAIN, f"{_WHERE}: invocationId"),
        started=started,
        finished=finished,
        build_type=shape.text(definition["buildType"], _URI, f"{_WHERE}: buildType"),
    )


def _parameters(value: Any, where: str) -> dict[str, Plain]:
    if not isinstance(value, dict):
        raise IntegrityError(f"{_WHERE}: expected {where} to be an object, saw {type(value).__name__}")
    return {
        shape.text(key, _PARAMETER, f"{_WHERE}: a name in {where}"): _plain(item, key) for key, item in value.items()
    }


def _plain(value: Any, name: str) -> Plain:
    where = f"{_WHERE}: {name}"
    if isinstance(value, bool | int):
        return value
    if isinstance(value, list):
        return tuple(shape.text(item, _PLAIN, where) for item in value)
    return shape.text(value, _PLAIN, where)


def _subject(item: Any) -> Subject:
    found = shape.members(item, ("name", "digest"), f"{_WHERE}: a subject")
    name = shape.text(found["name"], _PLAIN, f"{_WHERE}: a subject's name")
    digest = shape.members(found["digest"], ("sha256",), f"{_WHERE}: the digest of {name}")
    return Subject(name, shape.text(digest["sha256"], shape.HEX_SHA256, f"{_WHERE}: the digest of {name}"))


def _material(item: Any) -> Material:
    found = shape.members(item, ("uri", "name", "digest"), f"{_WHERE}: a material")
    uri = shape.text(found["uri"], _URI, f"{_WHERE}: a material's uri")
    digest = found["digest"]
    if not isinstance(digest, dict) or len(digest) != 1 or not digest.keys() <= _DIGESTS.keys():
        raise IntegrityError(f"{_WHERE}: expected one digest of {uri}, sha256 or gitCommit, saw {digest!r}")
    [(algorithm, text)] = digest.items()
    name = shape.text(found["name"], _PLAIN, f"{_WHERE}: the name of {uri}")
    return Material(uri, algorithm, shape.text(text, _DIGESTS[algorithm], f"{_WHERE}: the digest of {uri}"), name)


def _written(moment: datetime) -> str:
    if moment.utcoffset() is None:
        raise InvalidInput(f"expected a moment in UTC, saw {moment} of no time zone", "ask the Clock")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(value: Any, name: str) -> datetime:
    text = shape.text(value, _TIME, f"{_WHERE}: {name}")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise IntegrityError(f"{_WHERE}: {name}: expected a moment, saw {text}") from error
