"""Lists of contents that wheels carry in ``dist-info/sboms`` (PEP 770), CycloneDX or SPDX JSON.

Without them the Rust crates and C libraries inside a wheel are invisible.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from packageurl import PackageURL

from lens_core.supply.packages import Embedded


def read_embedded(content: bytes, path: str, wheel: str) -> tuple[Embedded, ...]:
    """The packages that the list at ``path`` names, but for the wheel itself; nothing when it cannot be read.

    A list that cannot be read still stands as an ``Embedded`` without a name of its own, so that it is seen.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return (Embedded("", path.rpartition("/")[2], "", path, "a list of contents that cannot be read"),)
    read = _cyclonedx if document.get("bomFormat") == "CycloneDX" else _spdx
    found = {item.purl or (item.name, item.version): item for item in read(document, path) if item.name != wheel}
    return tuple(sorted(found.values()))


def _cyclonedx(document: Mapping[str, Any], path: str) -> Iterator[Embedded]:
    root = document.get("metadata")
    component = root.get("component") if isinstance(root, dict) else None
    own = component.get("bom-ref") if isinstance(component, dict) else None
    ahead = _objects(document.get("components"))
    while ahead:
        item = ahead.pop()
        ahead.extend(_objects(item.get("components")))
        if own is not None and item.get("bom-ref") == own:
            continue
        sha256 = next((str(h.get("content")) for h in _objects(item.get("hashes")) if h.get("alg") == "SHA-256"), "")
        if item.get("name") and item.get("type") != "file":
            yield _embedded(item.get("purl"), item["name"], item.get("version"), path, _licences(item), sha256)


def _spdx(document: Mapping[str, Any], path: str) -> Iterator[Embedded]:
    described = document.get("documentDescribes")
    own = set(map(str, described)) if isinstance(described, list) else set()
    for item in _objects(document.get("packages")):
        if item.get("SPDXID") in own:
            continue
        references = _objects(item.get("externalRefs"))
        purl = next((r.get("referenceLocator") for r in references if r.get("referenceType") == "purl"), None)
        licence = item.get("licenseConcluded") or item.get("licenseDeclared")
        licences = (str(licence),) if licence and licence not in ("NOASSERTION", "NONE") else ()
        if item.get("name"):
            yield _embedded(purl, item["name"], item.get("versionInfo"), path, licences)


def _embedded(
    purl: object, name: object, version: object, path: str, licences: tuple[str, ...] = (), sha256: str = ""
) -> Embedded:
    """Built from local sources is written ``download_url=file://…``: that place is nobody else's, and is left out."""
    text = ""
    note = "listed by its wheel"
    if isinstance(purl, str):
        try:
            parsed = PackageURL.from_string(purl)
        except ValueError:
            parsed = None
        if parsed is not None:
            if str(parsed.qualifiers.get("download_url", "")).startswith("file:"):
                note = "listed by its wheel, built from its own sources"
            kept = {key: value for key, value in parsed.qualifiers.items() if key not in ("download_url", "vcs_url")}
            text = PackageURL(parsed.type, parsed.namespace, parsed.name, parsed.version, kept).to_string()
    plain = sha256 if len(sha256) == 64 and not set(sha256) - set("0123456789abcdef") else ""  # noqa: PLR2004
    return Embedded(text, str(name), str(version or ""), path, note, licences, plain)


def _licences(item: Mapping[str, Any]) -> tuple[str, ...]:
    words = []
    for choice in _objects(item.get("licenses")):
        licence = choice.get("license")
        named = (licence.get("id") or licence.get("name")) if isinstance(licence, dict) else choice.get("expression")
        if named:
            words.append(str(named))
    return tuple(sorted(set(words)))


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
