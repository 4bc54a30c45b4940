"""The ownership of an image's files as evidence: canonical JSON, and what its bytes say when they are judged.

The file lists every regular file with digest, size and owner, so that a stranger can hold it against the image, and
so that two candidates can be compared file by file. It is counted again when it is judged: what it says about
itself is not believed.
"""

import json
from collections.abc import Mapping
from typing import Any

import rfc8785

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.model import Answer, Verdict
from lens_core.supply.ownership import SOURCE, Declared, Owned, Ownership
from lens_core.supply.words import Finding, Severity

FORMAT = "lens-ownership/1"
GATE = "file_ownership"
HARMLESS = (Severity.LOW, Severity.MEDIUM)
"""Findings that are shown and do not close the gate; all others do, UNKNOWN included."""


def write_report(ownership: Ownership) -> bytes:
    """The evidence file ``sbom/ownership.json``."""
    owners = sorted({file.owner for file in ownership.files})
    numbers = {owner: number for number, owner in enumerate(owners)}
    document: dict[str, Any] = {
        "format": FORMAT,
        "image": ownership.image,
        "packages": list(ownership.packages),
        "owners": owners,
        "files": [[_plain(file.path), file.sha256, file.size, numbers[file.owner]] for file in ownership.files],
        "links": {"all": ownership.links, "verified": ownership.verified_links},
        "locked": dict(ownership.locked),
        "declared": [
            {
                "pattern": item.pattern,
                "reason": item.reason,
                **({"sha256": item.sha256} if item.sha256 else {}),
                **({"generated_by": item.generated_by} if item.generated_by else {}),
                **({"may_be_absent": True} if item.may_be_absent else {}),
                **({"mode": f"{item.mode:04o}"} if item.mode else {}),
            }
            for item in ownership.declared
        ],
        "findings": [
            {
                "rule": item.rule,
                "severity": item.severity.value,
                "subject": _plain(item.subject),
                "message": _plain(item.message),
            }
            for item in ownership.findings
        ],
    }
    return rfc8785.dumps(document)


def read_report(content: bytes) -> Ownership:
    """The attribution that ``content`` holds. IntegrityError when it is none, or not in canonical JSON."""
    try:
        document = json.loads(content)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}")  # noqa: TRY301
        if rfc8785.dumps(document) != content:
            raise ValueError("it is not canonical JSON")  # noqa: TRY301
        owners = [str(owner) for owner in document["owners"]]
        files = tuple(_owned(row, owners) for row in document["files"])
        findings = tuple(_finding(item) for item in document["findings"])
        links = document["links"]
        return Ownership(
            str(document["image"]),
            files,
            findings,
            tuple(str(purl) for purl in document["packages"]),
            tuple(_declared(item) for item in document["declared"]),
            {str(name): int(count) for name, count in document["locked"].items()},
            links=int(links["all"]),
            verified_links=int(links["verified"]),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, InvalidInput) as error:
        raise IntegrityError(f"expected a {FORMAT} report, saw something else ({error!r})", "cut again") from error


def ownership_answer(content: bytes, image: str, evidence: str = "") -> Answer:
    """The gate ``file_ownership``: no blocking finding, and an owner for each of at least one file.

    ``image`` is the digest of the candidate's image: a report on another one is no evidence (ERROR), nor is an
    unreadable one; a report on no file is INCONCLUSIVE. ``evidence`` is the digest of ``content``.
    """
    try:
        seen = read_report(content)
    except IntegrityError as error:
        return _answer(Verdict.ERROR, error.message, evidence)
    if not image or seen.image != image:
        return _answer(Verdict.ERROR, f"expected a report on {image or 'an image'}, saw one on {seen.image}", evidence)
    if not seen.files or not seen.packages:
        return _answer(Verdict.INCONCLUSIVE, "the report lists no files, or no packages", evidence)
    blocking = [item for item in seen.findings if item.severity not in HARMLESS]
    unowned = [file.path for file in seen.files if not _known(file, seen)]
    subjects = sorted({item.subject for item in blocking} | set(unowned))
    total, locked = len(seen.files), sum(seen.locked.values())
    against = f"{locked} locked archives" if locked else "the image's own records only"
    if subjects:
        first = ", ".join(subjects[:3]) + (" …" if len(subjects) > 3 else "")  # noqa: PLR2004
        return _answer(
            Verdict.FAIL, f"{len(subjects)} of {total:,} files and records: {first}", evidence, len(subjects), total
        )
    reason = f"all {total:,} files have an owner, held against {against}"
    return _answer(Verdict.PASS, reason, evidence, 0, total)


def _known(file: Owned, seen: Ownership) -> bool:
    """True for a listed package or a declaration that fits; an owner that is nowhere in the report is nobody."""
    if file.owner in seen.packages:
        return True
    return any(
        file.owner == f"declared:{item.pattern}" and item.matches(file.path) and item.sha256 in ("", file.sha256)
        for item in seen.declared
    )


def _answer(verdict: Verdict, reason: str, evidence: str, value: int | None = None, count: int = 0) -> Answer:
    return Answer(
        GATE,
        "",
        verdict,
        reason,
        value=None if value is None else float(value),
        threshold=0.0,
        sample_count=count,
        evidence=evidence,
        sign="≤",
    )


def _owned(row: Any, owners: list[str]) -> Owned:
    path, sha256, size, number = row
    if type(number) is not int or not 0 <= number < len(owners):
        raise ValueError(f"owner {number!r}")
    return Owned(str(path), str(sha256), int(size), owners[number])


def _declared(item: Mapping[str, Any]) -> Declared:
    words = {name: str(item.get(name, "")) for name in ("pattern", "reason", "sha256", "generated_by")}
    return Declared(**words, may_be_absent=item.get("may_be_absent") is True, mode=int(str(item.get("mode", "0")), 8))


def _finding(item: Mapping[str, str]) -> Finding:
    return Finding(SOURCE, str(item["rule"]), Severity(item["severity"]), str(item["subject"]), str(item["message"]))


def _plain(text: str) -> str:
    """The text with what is no UTF-8 escaped."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
