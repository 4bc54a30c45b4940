"""The ownership report as evidence: what its bytes say when they are judged."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785

from lens_core.errors import IntegrityError
from lens_core.model import Verdict
from lens_core.supply.ownership import SOURCE, Declared, Owned, Ownership
from lens_core.supply.ownership_report import ownership_answer, read_report, write_report
from lens_core.supply.words import Finding, Severity

IMAGE = "sha256:" + "1" * 64
PURL = "pkg:pypi/a@1"
FILES = (Owned("a", "0" * 64, 1, PURL), Owned("etc/passwd", "1" * 64, 2, "declared:etc/passwd"))
DECLARED = (Declared("etc/passwd", "r", generated_by="g"),)
CLEAN = Ownership(IMAGE, FILES, (), (PURL,), DECLARED, {"pypi": 1}, 3, 2)


def edited(edit: Callable[[Any], object]) -> bytes:
    """The clean report after an edit of its JSON."""
    document = json.loads(write_report(CLEAN))
    edit(document)
    return rfc8785.dumps(document)


def test_report_is_canonical_and_comes_back() -> None:
    """The report is canonical JSON, and says after reading what was written."""
    content = write_report(CLEAN)
    assert rfc8785.dumps(json.loads(content)) == content
    seen = read_report(content)
    assert seen == CLEAN


def test_clean_report_passes_and_counts_files() -> None:
    """A report with an owner for each file passes; the sample count is the number of files."""
    answer = ownership_answer(write_report(CLEAN), IMAGE, "sha256:e")
    assert (answer.verdict, answer.value, answer.sample_count, answer.evidence) == (Verdict.PASS, 0.0, 2, "sha256:e")
    assert "1 locked archives" in answer.reason


@pytest.mark.parametrize("severity", [Severity.HIGH, Severity.CRITICAL, Severity.UNKNOWN])
def test_findings_fail(severity: Severity) -> None:
    """A finding that is bad, or of which nobody knows how bad it is, fails the gate and is named."""
    finding = Finding(SOURCE, "edited-file", severity, "usr/x", "m")
    answer = ownership_answer(write_report(Ownership(IMAGE, FILES, (finding,), (PURL,), DECLARED)), IMAGE)
    assert (answer.verdict, answer.value) == (Verdict.FAIL, 1.0)
    assert "usr/x" in answer.reason


def test_harmless_findings_do_not_fail() -> None:
    """What is only mentioned does not close the gate."""
    finding = Finding(SOURCE, "unused-declaration", Severity.LOW, "etc/x", "m")
    assert (
        ownership_answer(write_report(Ownership(IMAGE, FILES, (finding,), (PURL,), DECLARED)), IMAGE).verdict
        is Verdict.PASS
    )


def test_files_are_counted_again() -> None:
    """A report that has lost its findings, but not the file without owner, fails all the same."""
    files = (*FILES, Owned("usr/bin/x", "2" * 64, 1, ""))
    assert ownership_answer(write_report(Ownership(IMAGE, files, (), (PURL,), DECLARED)), IMAGE).verdict is Verdict.FAIL


def test_owner_that_is_no_package_is_nobody() -> None:
    """An owner that the report does not list among its packages owns nothing."""
    files = (*FILES, Owned("usr/bin/x", "2" * 64, 1, "pkg:pypi/other@1"))
    assert ownership_answer(write_report(Ownership(IMAGE, files, (), (PURL,), DECLARED)), IMAGE).verdict is Verdict.FAIL


def test_declared_owner_must_be_declared() -> None:
    """A file under a declaration that the report does not contain is nobody's."""
    content = edited(lambda document: document.update(declared=[]))
    assert ownership_answer(content, IMAGE).verdict is Verdict.FAIL


def test_report_on_nothing_is_inconclusive() -> None:
    """No files, or no packages, is no evidence."""
    assert ownership_answer(write_report(Ownership(IMAGE, (), (), (PURL,))), IMAGE).verdict is Verdict.INCONCLUSIVE
    assert ownership_answer(write_report(Ownership(IMAGE, FILES, (), ())), IMAGE).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("image", ["", "sha256:" + "2" * 64])
def test_report_on_another_image_is_an_error(image: str) -> None:
    """Yesterday's report, or one for no image, says nothing about this one."""
    assert ownership_answer(write_report(CLEAN), image).verdict is Verdict.ERROR


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        edited(lambda document: document.update(format="other/1")),
        edited(lambda document: document["files"].append(["x", "0", 1, 9])),
        edited(lambda document: document["files"].append(["x", "0", 1, -1])),
        edited(lambda document: document["files"].append(["x", "0", 1, True])),
        edited(lambda document: document["files"].append(["x"])),
        edited(lambda document: document.update(findings=[{"rule": "r", "severity": "none"}])),
        edited(lambda document: document.pop("packages")),
        edited(lambda document: document["declared"][0].pop("generated_by")),
        write_report(CLEAN) + b"\n",
    ],
)
def test_unreadable_reports_are_errors(content: bytes) -> None:
    """What is no report is an ERROR, never a pass and never a crash."""
    with pytest.raises(IntegrityError, match="expected a lens-ownership/1 report"):
        read_report(content)
    assert ownership_answer(content, IMAGE).verdict is Verdict.ERROR
