"""OSV records and components for tests: made up, and as small as can be."""

import gzip
import json
from pathlib import Path

from places import PROJECT

from lens_core.supply.words import Component

PYPA = PROJECT.parent / "shared" / "data" / "pypa-advisories.jsonl.gz"
"""The PyPA advisory database, kept beside the project where it may be read."""
CRITICAL = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}
MEDIUM = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"}


def record(name, package, *, ecosystem="PyPI", versions=(), events=(), **more):
    """One OSV record; ``events`` are pairs such as ("introduced", "0")."""
    affected = {"package": {"ecosystem": ecosystem, "name": package}}
    if versions:
        affected["versions"] = list(versions)
    if events:
        affected["ranges"] = [{"type": "ECOSYSTEM", "events": [{kind: version} for kind, version in events]}]
    return {"id": name, "modified": "2026-11-25T10:00:00Z", "affected": [affected], **more}


def pypi(name, version):
    """A Python distribution."""
    return Component(f"pkg:pypi/{name}@{version}", "pypi", name, version)


def deb(name, version, source="", source_version="", distro="debian-12"):
    """A Debian package."""
    purl = f"pkg:deb/debian/{name}@{version}?distro={distro}"
    return Component(purl, "deb", name, version, source or name, source_version or version, distro)


SMALL = (
    record(
        "PYSEC-1",
        "jinja2",
        versions=("2.9", "2.10"),
        events=(("introduced", "0"), ("fixed", "2.10.1")),
        aliases=["CVE-2026-1"],
        severity=[CRITICAL],
    ),
    record("PYSEC-2", "flask", versions=("0.1",), severity=[MEDIUM]),
    record("PYSEC-3", "mystery", versions=("1.0",)),
)
"""The canary jinja2 2.10, a harmless old flask, and one of unknown severity."""


def write_lines(path: Path, records) -> Path:
    """A ``.jsonl`` or ``.jsonl.gz`` file with the records."""
    content = "".join(json.dumps(one) + "\n" for one in records).encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content)
    return path
