"""Writes the list of what a candidate is made of: CycloneDX 1.6, canonical JSON (RFC 8785), the same bytes twice.

The document is built as the specification's own words and held against cyclonedx-python-lib's strict schema when
it is judged (``sbom_answers``): its object model would take seconds to sort what is sorted already, and would
drop nothing but add nothing either. Serial number: UUID 5 of the content; time: the commit's.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from cyclonedx.spdx import is_expression, is_supported_id
from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from lens_core.errors import InvalidInput
from lens_core.supply.distributions import MARKERS
from lens_core.supply.locked import Locked
from lens_core.supply.ownership import Ownership
from lens_core.supply.packages import Embedded, Inventory, Package
from lens_core.supply.sbom_answers import SCOPE_IMAGE, SCOPE_LOCK

_NAMESPACE = uuid.UUID("6f0c2b0e-7d0f-5b0b-9d0e-3a1d8f1f5c11")
"""Of Lens's serial numbers; any fixed one would do."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Product:
    """What the list is of: ``name`` and ``version``, and the moment of its commit in seconds since 1970 (UTC)."""

    name: str
    version: str
    epoch: int


def generate(inventory: Inventory, ownership: Ownership, product: Product, locked: Locked | None = None) -> bytes:
    """The list of an image: every package, what is embedded in it, and every file that no package owns.

    With ``locked`` archives, a package whose archive is among them carries the archive's SHA-256.
    """
    archives = (locked or Locked()).by_name
    counts: dict[str, int] = {}
    for file in ownership.files:
        counts[file.owner] = counts.get(file.owner, 0) + 1
    references = _references(inventory.packages)
    components = []
    for package in inventory.packages:
        archive = archives.get((package.ecosystem, package.name, package.version))
        component = _package(package, references[id(package)], counts.get(package.purl, 0))
        if archive is not None and archive.sha256:
            component["hashes"] = [_sha256(archive.sha256)]
        components.append(component)
    components += [_distro(inventory)] if inventory.distro.word else []
    components += [
        _file(file.path, file.sha256, file.owner, ownership) for file in ownership.files if not _is_purl(file.owner)
    ]
    digest = ownership.image.removeprefix("sha256:")
    root: Json = {"type": "container", "name": product.name, "version": product.version, "bom-ref": "image"}
    if digest:
        root["purl"] = PackageURL("oci", None, product.name, f"sha256:{digest}").to_string()
        root["hashes"] = [_sha256(digest)]
    edges = {"image": [component["bom-ref"] for component in components if component["type"] != "file"]}
    edges |= _edges(inventory.packages, references)
    return _document(root, components, edges, SCOPE_IMAGE, product)


def generate_from_lock(requirements_lock: str, product: Product, wheel_sha256: str = "") -> bytes:
    """The list of a wheel and its locked requirements, for a cut without a container; it says so.

    ``requirements_lock`` is a requirements file in which every line is pinned with ``==``; what a marker excludes
    from the image's platform is left out. InvalidInput for a line that pins nothing.
    """
    components: list[Json] = []
    for line in _logical_lines(requirements_lock):
        requirement = _pinned(line)
        if requirement.marker is not None and not requirement.marker.evaluate(dict(MARKERS)):
            continue
        name = canonicalize_name(requirement.name)
        version = next(iter(requirement.specifier)).version
        purl = PackageURL("pypi", None, name, version).to_string()
        components.append({"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl})
    purl = PackageURL("pypi", None, canonicalize_name(product.name), product.version).to_string()
    root: Json = {
        "type": "application",
        "name": product.name,
        "version": product.version,
        "purl": purl,
        "bom-ref": purl,
        **({"hashes": [_sha256(wheel_sha256)]} if wheel_sha256 else {}),
    }
    unique = list({component["bom-ref"]: component for component in components}.values())
    edges = {purl: [component["bom-ref"] for component in unique]}
    return _document(root, unique, edges, SCOPE_LOCK, product)


def _document(
    root: Json, components: Sequence[Json], edges: Mapping[str, Iterable[str]], scope: str, product: Product
) -> bytes:
    moment = datetime.fromtimestamp(product.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document: Json = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": moment,
            "lifecycles": [{"phase": "post-build" if scope == SCOPE_IMAGE else "pre-build"}],
            "component": root,
            "properties": [{"name": "lens:scope", "value": scope}],
        },
        "components": sorted(components, key=lambda component: str(component["bom-ref"])),
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(set(targets))} for ref, targets in sorted(edges.items()) if targets
        ],
    }
    serial = uuid.uuid5(_NAMESPACE, hashlib.sha256(rfc8785.dumps(document)).hexdigest())
    return rfc8785.dumps({**document, "serialNumber": f"urn:uuid:{serial}"})


def _references(packages: Sequence[Package]) -> dict[int, str]:
    """A reference for each package: its purl, and its folder when another one has the same purl."""
    seen: set[str] = set()
    references = {}
    for package in packages:
        reference = package.purl if package.purl not in seen else f"{package.purl}#{package.root}"
        seen.add(reference)
        references[id(package)] = reference
    return references


def _package(package: Package, reference: str, files: int) -> Json:
    notes = {
        "lens:source-name": package.source_name,
        "lens:source-version": package.source_version,
        "lens:folder": f"/{package.root}" if package.root else "",
        "lens:files": str(files),
    }
    component: Json = {
        "type": "library",
        "name": package.name,
        "purl": package.purl,
        "bom-ref": reference,
        "properties": _properties(notes),
    }
    if package.version:
        component["version"] = package.version
    if licences := _licences(package.licence_expression, package.licences):
        component["licenses"] = licences
    if package.embedded:
        nested = {item["bom-ref"]: item for item in (_embedded(item, reference) for item in package.embedded)}
        component["components"] = [nested[ref] for ref in sorted(nested)]
    return component


def _embedded(item: Embedded, owner: str) -> Json:
    component: Json = {
        "type": "library",
        "name": _plain(item.name),
        "bom-ref": _plain(f"{owner}|{item.basis}|{item.purl or f'{item.name}@{item.version}'}"),
        "properties": _properties({"lens:basis": f"/{_plain(item.basis)}", "lens:note": item.note}),
    }
    if item.version:
        component["version"] = item.version
    if item.purl:
        component["purl"] = item.purl
    if item.sha256:
        component["hashes"] = [_sha256(item.sha256)]
    if licences := _licences("", item.licences):
        component["licenses"] = licences
    return component


def _file(path: str, sha256: str, owner: str, ownership: Ownership) -> Json:
    pattern = owner.removeprefix("declared:")
    reason = next((item.reason for item in ownership.declared if owner and item.pattern == pattern), "")
    notes = {"lens:owner": "declared" if owner else "nobody", "lens:reason": reason}
    name = f"/{_plain(path)}"
    return {
        "type": "file",
        "name": name,
        "bom-ref": f"file:{name}",
        "hashes": [_sha256(sha256)],
        "properties": _properties(notes),
    }


def _distro(inventory: Inventory) -> Json:
    distro = inventory.distro
    return {
        "type": "operating-system",
        "name": distro.identity,
        "version": distro.release,
        "description": distro.pretty,
        "bom-ref": f"os:{distro.word}",
    }


def _edges(packages: Sequence[Package], references: Mapping[int, str]) -> dict[str, list[str]]:
    """Who depends on whom, of what is installed; a name is looked up within its ecosystem."""
    by_name: dict[tuple[str, str], str] = {}
    for package in packages:
        for name in (*package.provides, package.name):
            by_name.setdefault((package.ecosystem, name), references[id(package)])
        by_name[package.ecosystem, package.name] = references[id(package)]
    edges: dict[str, list[str]] = {}
    for package in packages:
        found = (
            next((by_name[package.ecosystem, name] for name in group if (package.ecosystem, name) in by_name), "")
            for group in package.depends
        )
        edges[references[id(package)]] = [reference for reference in found if reference]
    return edges


def _licences(expression: str, names: Sequence[str]) -> list[Json]:
    if not expression and len(names) == 1 and not is_supported_id(names[0]) and is_expression(names[0]):
        expression = names[0]
    if expression:
        return [{"expression": expression}]
    ids = [{"license": {"id": name}} for name in names if is_supported_id(name)]
    return ids + [{"license": {"name": _plain(name)}} for name in names if not is_supported_id(name)]


def _properties(notes: Mapping[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in sorted(notes.items()) if value]


def _sha256(digest: str) -> Json:
    return {"alg": "SHA-256", "content": digest}


def _is_purl(owner: str) -> bool:
    return owner.startswith("pkg:")


def _plain(text: str) -> str:
    """The text with what is no UTF-8 escaped."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _logical_lines(text: str) -> Iterator[str]:
    """Lines of a requirements file, continued ones joined, without comments, options and hashes."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = line.split(" #")[0].strip()
        if plain and not plain.startswith(("#", "-")):
            yield plain.split(" --")[0].strip()


def _pinned(line: str) -> Requirement:
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        raise InvalidInput(f"expected a pinned requirement, saw {line!r}", "write the lock file anew") from error
    operators = [specifier.operator for specifier in requirement.specifier]
    if operators != ["=="] or str(requirement.specifier).endswith("*"):
        raise InvalidInput(f"expected one == in the lock, saw {line!r}", "write the lock file anew")
    return requirement
