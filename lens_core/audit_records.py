"""What an audit entry's ``record`` names: digests over everything that the ledger holds of a thing.

Each is SHA-256 over canonical JSON (RFC 8785) with a word of what it is, so that none passes for another kind. They
are computed from values, so that the one who writes and the one who verifies need not read the ledger in one way.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from lens_core.documents import plain
from lens_core.model import Answer, Candidate, Evidence, Measurement, Night, Release
from lens_core.supply import canonical

_SAFE = 2**53


def candidate_record(candidate: Candidate) -> str:
    """Of a candidate."""
    return _digest("candidate", candidate)


def release_record(release: Release) -> str:
    """Of a cut, but for where it was pushed to: that has entries of its own."""
    document = plain(release)
    return _digest("release", {name: value for name, value in document.items() if name != "pushed_to"})


def opening_record(night: Night) -> str:
    """Of what a night is bound to when it opens."""
    names = ("night_id", "night_date", "attempt", "candidate", "baseline", "policy_digest", "dataset_digest")
    bound = {name: getattr(night, name) for name in (*names, "slices", "seed", "duration_minutes", "folder")}
    return _digest("night.opened", bound)


def slice_record(measurement: Measurement, answers: Sequence[Answer]) -> str:
    """Of one slice of a night."""
    return _digest("night.slice", {"measurement": measurement, "answers": _in_order(answers)})


def answers_record(answers: Sequence[Answer]) -> str:
    """Of answers that a night got."""
    return _digest("night.answers", _in_order(answers))


def night_record(
    night: Night, answers: Sequence[Answer], measurements: Sequence[Measurement], evidence: Sequence[Evidence]
) -> str:
    """Of all that the ledger holds of a night, in whatever order it was read.

    But for its fence, which says who may write to it while it is open, and nothing of what was found.
    """
    document = plain(night)
    return _digest(
        "night",
        {
            "night": {name: value for name, value in document.items() if name != "fence"},
            "answers": _in_order(answers),
            "measurements": sorted(measurements, key=lambda one: one.slice),
            "evidence": sorted(evidence, key=lambda one: one.path),
        },
    )


def scan_record(candidate: str, at: datetime, verdict: str, reason: str) -> str:
    """Of a look at the advisory sources between nights; ``verdict`` is its name."""
    return _digest("scan", {"candidate": candidate, "at": at, "verdict": verdict, "reason": reason})


def claims(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an entry, as JSON has it, says that the ledger holds from then on: things by name, as ``held_*`` too."""
    facts, what, subject, record = entry["facts"], entry["what"], entry["subject"], entry["record"]
    if what == "ledger.began":
        yield from facts.items()
    elif what == "candidate.recorded":
        yield held_candidate(subject), record
    elif what in {"release.recorded", "release.pushed"}:
        if "release" in facts:
            yield held_release(facts["version"]), facts["release"]
        if facts.get("pushed_to"):
            yield held_push(facts["version"]), facts["pushed_to"]
    elif what == "night.opened":
        yield held_opening(facts["night"]), record
    elif what == "night.closed":
        yield held_night(facts["night"]), record
    elif what == "scan.recorded":
        yield held_scan(record), subject
    elif what.startswith("statement."):
        yield held_statement(record), f"{what.removeprefix('statement.')} {subject}"


CLAIMING = ("ledger.began", "candidate.recorded", "release.", "night.opened", "night.closed", "scan.", "statement.")
"""How the names of entries begin that ``claims`` has something to say of."""


def held_candidate(digest: str) -> str:
    """A candidate."""
    return f"candidate {digest}"


def held_release(version: str) -> str:
    """A cut."""
    return f"release {version}"


def held_push(version: str) -> str:
    """Where a cut was pushed to."""
    return f"push of release {version}"


def held_opening(night_id: str) -> str:
    """What a night was bound to when it opened."""
    return f"opening of night {night_id}"


def held_night(night_id: str) -> str:
    """A night that is closed."""
    return f"night {night_id}"


def held_scan(record: str) -> str:
    """A look at the advisory sources, by its record."""
    return f"scan {record}"


def held_statement(digest: str) -> str:
    """A statement, by the digest of its content."""
    return f"statement {digest}"


def mismatches(claimed: Mapping[str, str], held: Mapping[str, str]) -> dict[str, str]:
    """What the log says that the ledger holds, against what it holds: the thing and why it is not believed."""
    found = {}
    for thing in claimed.keys() | held.keys():
        if thing not in held:
            found[thing] = f"the log has an entry of {thing}, and the ledger does not hold it (any more)"
        elif thing not in claimed:
            found[thing] = f"the ledger holds {thing}, and the log has no entry of it"
        elif claimed[thing] != held[thing]:
            found[thing] = f"expected {thing} to be {claimed[thing]} as its entry says, saw {held[thing]}"
    return dict(sorted(found.items()))


def _in_order(answers: Sequence[Answer]) -> list[Answer]:
    return sorted(answers, key=lambda one: (one.slice, one.gate))


def _digest(kind: str, value: Any) -> str:
    return "sha256:" + sha256(canonical.encode({"kind": kind, "value": _safe(plain(value))})).hexdigest()


def _safe(value: Any) -> Any:
    """Integers that no double holds (a seed may be one) and what is no number, as texts: canonical JSON has none."""
    if isinstance(value, dict):
        return {name: _safe(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_safe(item) for item in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _SAFE:
        return str(value)
    return value
