"""What packages in an image say of themselves."""

import json
from collections.abc import Mapping

import pytest

from lens_core.supply.distributions import parse_record
from lens_core.supply.inventory import take_inventory
from lens_core.supply.packages import Inventory, Package, is_metadata, parse_md5sums
from lens_core.supply.rootfs import Assembly, Entry, Kind
from lens_core.supply.scripts import is_written_for

OS = {"usr/lib/os-release": b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n'}
EMPTY_SHA256 = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"  # pragma: allowlist secret (a digest of nothing)


def inventory(files: Mapping[str, bytes]) -> Inventory:
    """The inventory of an image with these files; each content is its own digest."""
    assembly = Assembly()
    assembly.begin_layer()
    for path, content in {**OS, **files}.items():
        assembly.add(Entry(path, Kind.FILE, 0o644, len(content), content.hex(), ""), content)
    return take_inventory(assembly.finish())


def only(files: Mapping[str, bytes]) -> Package:
    """The one package of an image with these files."""
    (package,) = inventory(files).packages
    return package


def distribution(folder: str, metadata: str, record: str) -> dict[str, bytes]:
    """The records of a Python distribution."""
    return {f"{folder}/METADATA": f"Metadata-Version: 2.1\n{metadata}".encode(), f"{folder}/RECORD": record.encode()}


def test_deb_of_a_distroless_image() -> None:
    """A stanza of status.d and its md5sums make a package with purl, source package and claims."""
    stanza = b"Package: libssl3\nSource: openssl\nVersion: 3.0.15-1~deb12u1\nArchitecture: amd64\n"
    package = only(
        {
            "var/lib/dpkg/status.d/libssl3": stanza,
            "var/lib/dpkg/status.d/libssl3.md5sums": b"0" * 32 + b"  usr/lib/s.so\n",
        }
    )
    assert package.purl == "pkg:deb/debian/libssl3@3.0.15-1~deb12u1?arch=amd64&distro=debian-12&upstream=openssl"
    assert (package.source_name, package.source_version) == ("openssl", "3.0.15-1~deb12u1")
    assert [(claim.path, claim.algorithm) for claim in package.claims] == [("usr/lib/s.so", "md5")]


def test_debs_of_a_classic_image() -> None:
    """Installed stanzas of the status file count, removed ones do not; conffiles are claims as well."""
    digest = "d41d8cd98f00b204e9800998ecf8427e"  # pragma: allowlist secret (a digest of nothing)
    status = (
        "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"
        f"Conffiles:\n /etc/a.conf {digest}\n /etc/old {digest} obsolete\n\n"
        "Package: b\nStatus: deinstall ok config-files\nVersion: 2\n"
    )
    package = only(
        {"var/lib/dpkg/status": status.encode(), "var/lib/dpkg/info/a.md5sums": f"{digest}  usr/bin/a\n".encode()}
    )
    assert {claim.path for claim in package.claims} == {"usr/bin/a", "etc/a.conf"}
    assert "var/lib/dpkg/info/a.md5sums" in package.records


def test_source_version_that_differs_is_said() -> None:
    """Advisories go by the source package: its version is taken from the parentheses."""
    stanza = b"Package: gcc\nSource: gcc-12 (12.2.0-14)\nVersion: 12.2.0-14+b1\nArchitecture: amd64\n"
    package = only({"var/lib/dpkg/status.d/gcc": stanza})
    assert (package.source_name, package.source_version) == ("gcc-12", "12.2.0-14")
    assert "upstream=gcc-12%4012.2.0-14" in package.purl


def test_md5sums_without_its_package_is_a_problem() -> None:
    """A record that nobody's stanza goes with is what is left of a deleted one."""
    seen = inventory({"var/lib/dpkg/status.d/gone.md5sums": b""})
    assert [problem.rule for problem in seen.problems] == ["orphaned-record"]


def test_no_os_release_leaves_the_distro_out() -> None:
    """Without os-release a purl says no distribution instead of a guessed one."""
    assembly = Assembly()
    assembly.begin_layer()
    content = b"Package: a\nVersion: 1\nArchitecture: all\n"
    assembly.add(Entry("var/lib/dpkg/status.d/a", Kind.FILE, 0o644, 1, "aa", ""), content)
    (package,) = take_inventory(assembly.finish()).packages
    assert "distro" not in package.purl


def test_python_distribution() -> None:
    """METADATA and RECORD make a package with a normalised name, licence, dependencies and claims."""
    metadata = (
        "Name: Big_Lib\nVersion: 2.0\nLicense-Expression: MIT\nRequires-Dist: six>=1\nRequires-Dist: x; extra == 'y'\n"
    )
    package = only(distribution("opt/app/big_lib-2.0.dist-info", metadata, f"big/a.py,{EMPTY_SHA256},0\n"))
    assert (package.purl, package.licence_expression) == ("pkg:pypi/big-lib@2.0", "MIT")
    assert package.depends == (("six",),)
    assert [claim.path for claim in package.claims] == ["opt/app/big/a.py"]


def test_record_words_that_are_no_sha256_are_no_digest() -> None:
    """Another algorithm, broken base64 and a short digest claim a path and no content."""
    rows = b"a,md5=xx,1\nb,sha256=!!,1\nc,sha256=AAAA,1\nd,,\n"
    assert list(parse_record(rows)) == [("a", ""), ("b", ""), ("c", ""), ("d", "")]


def test_record_without_digest_is_a_problem() -> None:
    """A file that RECORD names without a digest could be anything."""
    seen = inventory(distribution("opt/a-1.dist-info", "Name: a\nVersion: 1\n", "a/x.pyc,,\na-1.dist-info/RECORD,,\n"))
    assert [(problem.rule, problem.path) for problem in seen.problems] == [("no-digest", "opt/a/x.pyc")]


def test_record_that_reaches_out_is_a_problem() -> None:
    """A distribution that claims a file outside of where pip puts files is not believed in silence."""
    record = f"../../usr/bin/implant,{EMPTY_SHA256},0\n"
    seen = inventory(distribution("opt/app/a-1.dist-info", "Name: a\nVersion: 1\n", record))
    assert [(problem.rule, problem.path) for problem in seen.problems] == [("outside", "usr/bin/implant")]


def test_moved_scripts_of_a_target_install_are_found() -> None:
    """Pip's RECORD of a target folder says ../../bin/x for what lies in bin/x."""
    files = distribution("opt/app/a-1.dist-info", "Name: a\nVersion: 1\n", f"../../bin/a,{EMPTY_SHA256},0\n")
    package = only({**files, "opt/app/bin/a": b""})
    assert [claim.path for claim in package.claims] == ["opt/app/bin/a"]


def test_two_versions_are_a_problem_for_both() -> None:
    """Which of two distributions of one name is imported depends on the path: both are named."""
    files = distribution("opt/a-1.dist-info", "Name: a\nVersion: 1\n", "")
    files |= distribution("srv/a-2.dist-info", "Name: a\nVersion: 2\n", "")
    assert [problem.path for problem in inventory(files).problems if problem.rule == "twice"] == [
        "opt/a-1.dist-info/RECORD",
        "srv/a-2.dist-info/RECORD",
    ]


def test_egg_info_is_a_package_without_record() -> None:
    """A distribution of the old kind is listed, and it is said that nothing vouches for its files."""
    seen = inventory({"opt/a.egg-info/PKG-INFO": b"Name: a\nVersion: 1\n"})
    assert [package.purl for package in seen.packages] == ["pkg:pypi/a@1"]
    assert [problem.rule for problem in seen.problems] == ["no-record"]


def test_embedded_lists_are_read() -> None:
    """CycloneDX and SPDX lists inside a wheel give its contents, without the wheel itself, and nested ones too."""
    cyclonedx = {
        "bomFormat": "CycloneDX",
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [
            {"type": "library", "name": "a", "version": "1", "bom-ref": "root", "purl": "pkg:pypi/a@1"},
            {"type": "library", "name": "serde", "version": "1.0", "purl": "pkg:cargo/serde@1.0?download_url=file://.",
             "components": [{"type": "library", "name": "deep", "version": "2", "purl": "pkg:cargo/deep@2"}]},
        ],
    }  # fmt: skip
    references = [{"referenceType": "purl", "referenceLocator": "pkg:generic/openssl@3.0"}]
    spdx = {
        "spdxVersion": "SPDX-2.3",
        "packages": [{"name": "openssl", "versionInfo": "3.0", "externalRefs": references, "licenseConcluded": "X"}],
    }
    root = "opt/a-1.dist-info"
    record = "".join(f"a-1.dist-info/sboms/{name},{EMPTY_SHA256},0\n" for name in ("c.json", "s.json", "bad.json"))
    files = distribution(root, "Name: a\nVersion: 1\n", record)
    files |= {
        f"{root}/sboms/c.json": json.dumps(cyclonedx).encode(),
        f"{root}/sboms/s.json": json.dumps(spdx).encode(),
        f"{root}/sboms/bad.json": b"[",
    }
    found = {item.purl or item.note for item in only(files).embedded}
    listed = {"pkg:cargo/serde@1.0", "pkg:cargo/deep@2", "pkg:generic/openssl@3.0"}
    assert found == listed | {"a list of contents that cannot be read"}


def test_vendored_and_bundled_libraries_are_shown() -> None:
    """Copies with metadata, with a version in the source, with neither, and auditwheel's libraries are contents."""
    names = ["a/_vendor/six.py", "a/_vendor/odd.py", "a/vendor/b-3.dist-info/METADATA", "a/vendor/b/x.py"]
    names.append("a.libs/libz-0123abcd.so.1.2")
    record = "".join(f"{name},{EMPTY_SHA256},0\n" for name in names)
    files = distribution("opt/a-1.dist-info", "Name: a\nVersion: 1\n", record)
    files |= {"opt/a/_vendor/six.py": b'__version__ = "1.16"\n', "opt/a/_vendor/odd.py": b"x = 1\n"}
    files["opt/a/vendor/b-3.dist-info/METADATA"] = b"Name: b\nVersion: 3\n"
    found = {(item.name, item.version, item.purl) for item in only(files).embedded}
    assert found == {
        ("six", "1.16", "pkg:pypi/six@1.16"),
        ("odd", "", ""),
        ("b", "3", "pkg:pypi/b@3"),
        ("libz", "1.2", ""),
    }


@pytest.mark.parametrize(
    ("path", "size", "kept"),
    [
        ("opt/a-1.dist-info/RECORD", 10, True),
        ("opt/a-1.dist-info/RECORD", 10**9, False),
        ("var/lib/dpkg/status.d/x.md5sums", 10, True),
        ("opt/bin/tool", 100, True),
        ("opt/bin/tool", 10**6, False),
        ("opt/a/core.py", 10, False),
    ],
)
def test_only_records_are_kept_in_memory(path: str, size: int, kept: bool) -> None:  # noqa: FBT001
    """Records are kept, the rest of an image is hashed and forgotten, and so is what is absurdly large."""
    assert is_metadata(path, size) is kept


def test_md5sums_lines() -> None:
    """Text and binary markers are read, other lines are no claims."""
    digest = "0" * 32
    assert list(parse_md5sums(f"{digest}  a b\n{digest} *./c\nnonsense\n".encode())) == [("a b", digest), ("c", digest)]


_PIP = "#!/usr/bin/python3\nimport sys\nfrom a.b import main\nif __name__ == '__main__':\n"
_PIP += "    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n    sys.exit(main())\n"
_OLD = "#!/usr/local/bin/python3.11\n# -*- coding: utf-8 -*-\nimport re\nimport sys\nfrom a.b import main\n"
_OLD += "if __name__ == '__main__':\n    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n"
_OLD += "    sys.exit(main())\n"


@pytest.mark.parametrize("text", [_PIP, _OLD])
def test_scripts_of_installers_are_known(text: str) -> None:
    """What pip writes and has written for an entry point is what an installer writes."""
    assert is_written_for("a.b:main", text.encode())
    assert is_written_for("a.b:main [extra]", text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        _PIP.replace("import sys\n", "import sys, os\n"),
        _PIP.replace("a.b", "a.c"),
        _PIP.replace("/usr/bin", "/tmp"),  # noqa: S108
        _PIP + "import os\n",
        _PIP.replace("main())", "main(), 0)"),
    ],
)
def test_scripts_of_others_are_not(text: str) -> None:
    """One word more, another module or another interpreter is no installer's."""
    assert not is_written_for("a.b:main", text.encode())
