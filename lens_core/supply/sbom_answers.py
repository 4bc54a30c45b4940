"""Reads a list of contents (CycloneDX 1.6) back: its components, and whether it may count as evidence."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import rfc8785
from packageurl import PackageURL

from lens_core.errors import IntegrityError
from lens_core.model import Answer, Verdict
from lens_core.supply.cyclonedx_schema import problem_of
from lens_core.supply.ownership_report import ownership_answer, read_report
from lens_core.supply.words import Component

GATE = "sbom"
SCOPE_IMAGE = "image"
SCOPE_LOCK = "locked requirements; no image was looked into"
"""What a list is of, as its metadata says."""


def components(content: bytes) -> tuple[Component, ...]:
    """Every package in the list, nested ones too, once, by purl; IntegrityError when ``content`` is no such list.

    One without a purl gets ``pkg:generic/…``: no advisory source can answer for it, and that must be seen. Files and
    the operating system are no packages.
    """
    found = {}
    for item in _walk(_parsed(content)):
        if item.get("type") not in ("file", "operating-system"):
            component = _component(item)
            found[component.purl] = component
    return tuple(found[purl] for purl in sorted(found))


def answers(sbom: bytes, ownership: bytes, image: str, evidence: Mapping[str, str]) -> tuple[Answer, ...]:
    """The gates ``sbom`` and ``file_ownership`` of a cut with the image of this manifest digest.

    ``evidence`` gives the digests of the two files by gate, ``{"sbom": "sha256:…", "file_ownership": …}``.
    """
    return (
        sbom_answer(sbom, image, ownership, evidence.get(GATE, "")),
        ownership_answer(ownership, image, evidence.get("file_ownership", "")),
    )


def sbom_answer(content: bytes, image: str = "", ownership: bytes = b"", evidence: str = "") -> Answer:
    """The gate ``sbom``: strictly valid, canonical, of this image, and with every package that is in it.

    Without ``image`` the list of a cut without a container is judged: it must say that it is one. The value is
    the share of the packages in the ownership report that the list has, 1.0 when all.
    """
    try:
        document = _parsed(content)
        packages = {item.purl for item in components(content)}
        expected = set(read_report(ownership).packages) if image else packages
    except IntegrityError as error:
        return _answer(Verdict.ERROR, error.message, evidence)
    if problem := _problem(content, document, image):
        return _answer(Verdict.FAIL, problem, evidence)
    if not expected:
        return _answer(Verdict.INCONCLUSIVE, "the list names no package", evidence)
    missing = sorted(expected - packages)
    share = 1 - len(missing) / len(expected)
    if missing:
        return _answer(Verdict.FAIL, f"the list leaves out {', '.join(missing[:3])}", evidence, share, len(packages))
    what = f"{len(packages)} packages, CycloneDX 1.6, strictly valid"
    return _answer(Verdict.PASS, what if image else f"{what}; {SCOPE_LOCK}", evidence, share, len(packages))


def _problem(content: bytes, document: Mapping[str, Any], image: str) -> str:
    """What is wrong with the list as a document; empty when nothing is."""
    if document.get("specVersion") != "1.6":
        return f"expected CycloneDX 1.6, saw {document.get('specVersion')!r}"
    if invalid := problem_of(document):
        return f"the list does not keep to the strict schema: {invalid[:200]}"
    if rfc8785.dumps(dict(document)) != content:
        return "the list is not canonical JSON (RFC 8785)"
    metadata = document.get("metadata", {})
    scope = {str(item["name"]): item.get("value") for item in metadata.get("properties", ())}.get("lens:scope")
    wanted = SCOPE_IMAGE if image else SCOPE_LOCK
    if scope != wanted:
        return f"expected a list of the scope {wanted!r}, saw {scope!r}"
    digests = [f"sha256:{item['content']}" for item in metadata.get("component", {}).get("hashes", ())]
    if image and image not in digests:
        return f"expected a list of {image}, saw one of {', '.join(digests) or 'nothing'}"
    return ""


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"expected a CycloneDX list, saw no JSON ({error})", "cut again") from error
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        raise IntegrityError("expected a CycloneDX list, saw another document", "cut again")
    return document


def _walk(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    ahead: list[Any] = [document.get("components")]
    while ahead:
        level = ahead.pop()
        for item in level if isinstance(level, list) else ():
            if isinstance(item, dict):
                yield item
                ahead.append(item.get("components"))


def _component(item: Mapping[str, Any]) -> Component:
    name, version = str(item.get("name", "")), str(item.get("version", ""))
    try:
        purl = PackageURL.from_string(str(item.get("purl")))
    except ValueError:
        purl = PackageURL("generic", None, name or "unnamed", version or None)
    listed = item.get("properties")
    notes = {p.get("name"): str(p.get("value", "")) for p in listed or () if isinstance(p, dict)}
    return Component(
        str(item.get("purl") or purl.to_string()),
        purl.type,
        purl.name if purl.type == "deb" or not purl.namespace else f"{purl.namespace}/{purl.name}",
        purl.version or version,
        notes.get("lens:source-name", ""),
        notes.get("lens:source-version", ""),
        str(purl.qualifiers.get("distro", "")),
    )


def _answer(verdict: Verdict, reason: str, evidence: str, value: float | None = None, count: int = 0) -> Answer:
    return Answer(
        GATE, "", verdict, reason, value=value, threshold=1.0, sample_count=count, evidence=evidence, sign="≥"
    )
