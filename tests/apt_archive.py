"""A small Debian archive as apt keeps one: signed lists, and packages with changelogs."""

import atexit
import functools
import gzip
import hashlib
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
_DATE = "%a, %d %b %Y %H:%M:%S UTC"


def run(*command, stdin=None):
    """Run a program that must succeed; its standard output."""
    return subprocess.run([str(part) for part in command], input=stdin, capture_output=True, check=True).stdout


@functools.cache
def workshop() -> Path:
    """A folder with two keys (``keyring.gpg`` trusts the first) and packages; made once for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="lens-apt-"))  # short: gpg-agent's socket lies in it
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("good", "other"):
        home = folder / name
        home.mkdir(mode=0o700)
        gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "")
        run(*gpg, "--quick-gen-key", f"{name} <{name}@example.org>", "ed25519", "sign", "never")
        (folder / f"{name}.gpg").write_bytes(run(*gpg, "--export"))
        atexit.register(subprocess.run, ["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=False)
    debs = folder / "debs"
    debs.mkdir()
    _package(
        debs,
        "libexpat1",
        "2.5.0-1+deb12u2",
        "expat",
        log("expat", ("2.5.0-1+deb12u2", "CVE-2026-1001"), ("2.5.0-1", "new")),
    )
    demo = (
        ("1.0-1+deb12u2", "CVE-2026-2002"),
        ("1.0-1+deb12u1", "cve-2026-2001, CVE-2026-2002"),
        ("1.0-1", "CVE-2020-9"),
    )
    _package(debs, "libdemo-base", "1.0-1+deb12u2", "demo", log("demo", *demo))
    _package(debs, "libdemo1", "1.0-1+deb12u2", "demo", "libdemo-base")
    _package(debs, "quiet", "2-2", "quiet", log("quiet", ("2-2", "mended"), ("2-1", "mended")))
    _package(debs, "mute", "2-2", "mute", "")
    return folder


def log(source, *entries):
    """A changelog of (version, text) entries."""
    return "".join(
        f"{source} ({version}) bookworm; urgency=high\n\n  * {text}\n\n -- A <a@example.org>  Thu, 01 Jan 2026\n\n"
        for version, text in entries
    )


def _package(debs, name, version, source, changelog):
    """Build a .deb; a ``changelog`` of one word is the package that the documentation folder links to."""
    with tempfile.TemporaryDirectory() as root:
        docs = Path(root, "usr/share/doc")
        docs.mkdir(parents=True)
        if changelog and " " not in changelog:
            (docs / name).symlink_to(changelog)
        else:
            (docs / name).mkdir()
            if changelog:
                (docs / name / "changelog.Debian.gz").write_bytes(gzip.compress(changelog.encode()))
        (Path(root) / "DEBIAN").mkdir()
        control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nSource: {source}\n"
        (Path(root) / "DEBIAN/control").write_text(f"{control}Maintainer: A <a@example.org>\nDescription: a test\n")
        run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", root, debs / f"{name}_{version}_amd64.deb")


def stanza(deb: Path, **changed):
    """The Packages stanza of a .deb."""
    content = deb.read_bytes()
    name, version, _ = deb.stem.split("_")
    source = run("dpkg-deb", "-f", deb, "Source").decode().strip()
    fields = {
        "Package": name,
        "Source": source,
        "Version": version,
        "Architecture": "amd64",
        "Size": len(content),
        "SHA256": hashlib.sha256(content).hexdigest(),
    }
    return "".join(f"{key}: {value}\n" for key, value in {**fields, **changed}.items())


def write_suite(
    lists: Path, codename, packages, *, key="good", date=NOW, valid_days=7, label="Debian-Security", listed=None
):
    """Write a suite's InRelease and Packages; ``key`` "" leaves it unsigned, ``listed`` is what was signed instead."""
    lists.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256((packages if listed is None else listed).encode()).hexdigest()
    until = f"Valid-Until: {(date + timedelta(days=valid_days)).strftime(_DATE)}\n" if valid_days else ""
    release = (
        f"Origin: Debian\nLabel: {label}\nCodename: {codename}\nVersion: 12\nDate: {date.strftime(_DATE)}\n{until}"
        f"SHA256:\n {digest} {len(packages)} main/binary-amd64/Packages\n"
    ).encode()
    if key:
        home = workshop() / key
        release = run("gpg", "--homedir", home, "--batch", "--quiet", "--clearsign", "--output", "-", stdin=release)
    inrelease = lists / f"archive_dists_{codename}_InRelease"
    inrelease.write_bytes(release)
    (lists / f"archive_dists_{codename}_main_binary-amd64_Packages").write_text(packages)
    return inrelease


def write_archive(lists: Path, **security):
    """A whole archive: bookworm as released, and its security suite with everything in ``workshop()``."""
    debs = sorted((workshop() / "debs").glob("*.deb"))
    released = "\n".join(stanza(deb, Version="1.0-1") for deb in debs if "demo" in deb.name)
    packages = "\n".join(stanza(deb) for deb in debs)
    write_suite(lists, "bookworm", released, label="Debian", valid_days=0)
    return write_suite(lists, "bookworm-security", security.pop("packages", packages), **security)
