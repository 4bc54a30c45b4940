"""Candidates as values: what was found by whom, and how it is said."""

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd

from lens_core.adapters.folder_stamp import folder_stamp
from lens_core.candidate_views import (
    findings_frame,
    list_frame,
    packages_in_words,
)
from lens_core.candidates import Cut, Known, Searched, searched_by
from lens_core.model import Answer, Candidate, Digest, Release, Verdict
from lens_core.supply.words import Finding, Severity
from portal import tables

_DIGEST = Digest(f"sha256:{'a' * 64}")
_RELEASE = Release(
    version="1.0.0-rc.1",
    candidate=Candidate("1.0.0-rc.1", _DIGEST, "b" * 40, dirty=False),
    image=Digest(f"sha256:{'c' * 64}"),
    manifest=_DIGEST,
    key_id="ed25519:d",
    verdict=Verdict.PASS,
    reason="all pass",
    cut_by="PASS",
    cut_at=datetime(2026, 11, 24, 2, tzinfo=UTC),
    folder="releases/1.0.0-rc.1",
    pushed_to="127.0.0.1:5000/lens@sha256:c",
)


def test_findings_are_counted_under_the_gate_that_judges_them():
    """Scanners under their own gates, owners under theirs, advisories under vulnerabilities, by severity."""
    gates = ("lint", "sast_detect_secrets", "file_ownership", "vulnerabilities")
    answers = [Answer(gate, "", Verdict.PASS, "") for gate in gates]
    findings = [
        Finding("detect-secrets", "x", Severity.HIGH, "a.py:1", ""),
        Finding("ownership", "unowned", Severity.CRITICAL, "/bin/x", ""),
        *[Finding("osv-dir", "CVE-1", Severity.LOW, "pkg:pypi/x@1", "")] * 2,
    ]
    found = {one.gate: one.counts for one in searched_by(answers, findings)}
    assert found == {
        "sast_detect_secrets": {"high": 1},
        "file_ownership": {"critical": 1},
        "vulnerabilities": {"low": 2},
    }


def test_findings_that_no_gate_judged_are_not_lost():
    """A finding without an answer of its gate is shown under that gate, which has then judged nothing."""
    [one] = searched_by([], [Finding("osv-dir", "CVE-1", Severity.HIGH, "pkg:pypi/x@1", "")])
    assert (one.gate, one.verdict, one.counts) == ("vulnerabilities", Verdict.INCONCLUSIVE, {"high": 1})


def test_no_finding_of_a_gate_that_could_not_judge_is_no_zero():
    """Only who looked may say that there is nothing; what was found all the same counts."""
    sound = Searched("sast_bandit", Verdict.PASS, {"low": 3})
    broken = Searched("sast_bandit", Verdict.ERROR, {"high": 1})
    frame = findings_frame([sound, broken])
    assert frame.loc[0, ["critical", "high", "low"]].tolist() == [0, 0, 3]
    assert frame.loc[1, ["critical", "high", "low"]].tolist() == ["no value", 1, "no value"]


def test_packages_are_counted_by_ecosystem_and_none_is_not_zero():
    """Without a list of contents nothing is said to be in it or not."""
    assert packages_in_words((("cargo", 1241), ("pypi", 31))) == "1,272 packages: 1,241 cargo, 31 pypi."
    assert "not known" in packages_in_words(None)
    assert "names no package" in packages_in_words(())


def test_the_list_has_a_verdict_only_for_what_verified():
    """Of what was not looked at, or has a fault, the ledger's verdict is not repeated."""
    known = [Known(name, replace(_RELEASE, version=name), "", "") for name in ("3", "2", "1")]
    cuts = {"3": Cut("3", (), _RELEASE), "2": Cut("2", ("a fault",))}
    frame = list_frame(known, cuts)
    assert frame["verdict"].tolist() == ["PASS", "not believed", "no value"]
    assert frame["verified"].tolist() == ["✓ as signed", "✕ does not verify", "… choose it to verify"]
    assert frame.loc[0, ["commit", "image", "pushed"]].tolist() == ["b" * 12, "c" * 12, "yes"]


def test_a_cut_that_the_ledger_does_not_know_is_not_said_to_be_unpushed():
    """Without the ledger's word it is not known whether an image was pushed, nor anything of a cut that fell."""
    frame = list_frame([Known("2", None, "", ""), Known("1", None, "", "")], {"2": Cut("2", (), _RELEASE)})
    assert frame["pushed"].tolist() == ["not known", "no value"]


def test_only_a_verdict_is_drawn_as_one():
    """A person who is called PASS does not get the sign of a gate that passed."""
    frame = list_frame([Known("1", _RELEASE, "", "")], {"1": Cut("1", ("a fault",))})
    html = tables.frame_table(frame, "Candidates")
    assert "<td>PASS</td>" in html
    assert "lens-tag" not in html
    assert "lens-tag v-PASS" in tables.frame_table(pd.DataFrame({"name": ["x"], "verdict": ["PASS"]}), "x")


def test_a_stamp_changes_with_every_file_and_is_empty_without_a_folder(tmp_path):
    """Written, added, renamed, removed and linked files give another stamp; looking again gives the same."""
    folder = tmp_path / "cut"
    assert folder_stamp(folder) == ""
    (folder / "inside").mkdir(parents=True)
    (folder / "inside/a").write_bytes(b"one")
    seen = [folder_stamp(folder)]
    assert folder_stamp(folder) == seen[0]
    for change in (
        lambda: (folder / "inside/a").write_bytes(b"three"),
        lambda: (folder / "b").write_bytes(b""),
        lambda: (folder / "b").rename(folder / "c"),
        lambda: (folder / "d").symlink_to("c"),
        (folder / "c").unlink,
    ):
        change()
        seen.append(folder_stamp(folder))
    assert len(set(seen)) == len(seen)
