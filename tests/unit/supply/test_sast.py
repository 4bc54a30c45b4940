"""Gates over scanners: what the evidence must prove before silence counts, and what a finding does."""

import json
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lens_core.model import Verdict
from lens_core.supply.sarif import Report, Sighting, read_sarif, write_sarif
from lens_core.supply.sast import SastPolicy, answers, findings, gate_of
from lens_core.supply.scan_record import Record, ScanEvidence, not_applicable, read_record, write_record
from lens_core.supply.scanner_kinds import BANDIT, CANARIES, HADOLINT, LINT, SCANNERS, SECRETS, ZIZMOR, reads
from lens_core.supply.source import digest_of
from lens_core.supply.words import Finding, Severity

SOURCE = {"a.py": "1" * 64, "b.py": "2" * 64, "notes.md": "3" * 64}


def seen(path, line, rule, severity, *more, canary=False):
    """A sighting in the source (in the canary, if asked for)."""
    return Sighting(canary, path, line, rule, severity, *(more or ("seen",)))


SEEDED = tuple(seen("python.py", line, rule, Severity.HIGH, canary=True) for rule, line in CANARIES[BANDIT].expected)
ONLY = SastPolicy(scanners=(BANDIT,))


def evidence(*found, report=None, **changes):
    """Evidence of an orderly run of bandit over SOURCE that saw ``found``; ``changes`` are made to its record."""
    report = report or Report("bandit", "1.9.4", ("B101", "B102", "B602"), (*SEEDED, *found))
    sarif = write_sarif(report)
    record = Record(
        scanner=BANDIT,
        applicable=True,
        version="1.9.4",
        options=("-q",),
        code=1,
        error="",
        rules=("B101", "B102", "B602"),
        files={"a.py": "1" * 64, "b.py": "2" * 64},
        unread={},
        canary_expected=CANARIES[BANDIT].expected,
        canary_found=tuple(sorted(CANARIES[BANDIT].expected)),
        sarif=digest_of(sarif),
    )
    return ScanEvidence(write_record(replace(record, **changes)), sarif)


def sighting(severity, accepted=""):
    """Something in a.py."""
    return seen("a.py", 7, "B301", severity, "pickle", accepted)


def answer(given, source=SOURCE, policy=ONLY):
    """The one Answer about bandit."""
    (one,) = answers({BANDIT: given}, source, policy)
    return one


def test_an_orderly_run_that_saw_nothing_passes():
    """The green case: value 0, held to at most 0, over two files, with the digest of the SARIF."""
    given = evidence()
    one = answer(given)
    assert (one.gate, one.verdict, one.value, one.threshold, one.sign) == ("sast_bandit", Verdict.PASS, 0, 0, "≤")
    assert (one.sample_count, one.evidence) == (2, digest_of(given.sarif))


@pytest.mark.parametrize(
    ("severity", "accepted", "verdict"),
    [
        (Severity.LOW, "", Verdict.PASS),
        (Severity.MEDIUM, "", Verdict.FAIL),
        (Severity.HIGH, "", Verdict.FAIL),
        (Severity.CRITICAL, "", Verdict.FAIL),
        (Severity.UNKNOWN, "", Verdict.FAIL),
        (Severity.HIGH, "# nosec B301 (our own file)", Verdict.PASS),
    ],
)
def test_severity_and_acceptance_decide(severity, accepted, verdict):
    """From medium on a finding blocks unless a comment accepts it; unknown severity blocks too."""
    one = answer(evidence(sighting(severity, accepted)))
    assert one.verdict is verdict
    assert one.value == (verdict is Verdict.FAIL)
    assert ("1 accepted" in one.reason) == bool(accepted)


def test_the_limit_is_a_parameter():
    """What fails at medium passes where only high fails, for the scanner that is named."""
    given = evidence(sighting(Severity.MEDIUM))
    assert answer(given, policy=SastPolicy((BANDIT,), Severity.HIGH)).verdict is Verdict.PASS
    assert answer(given, policy=SastPolicy((BANDIT,), fail_at_of={BANDIT: Severity.HIGH})).verdict is Verdict.PASS
    assert answer(given, policy=SastPolicy((BANDIT,), fail_at_of={SECRETS: Severity.HIGH})).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (ScanEvidence(b"", b""), "left evidence that is none"),
        (ScanEvidence(b"{}", evidence().sarif), "left evidence that is none"),
        (ScanEvidence(b"[" * 100000, evidence().sarif), "left evidence that is none"),
        (ScanEvidence(evidence().record, b"\xff\xfe"), "left evidence that is none"),
        (ScanEvidence(evidence().record + b" ", evidence().sarif), "not in the one form"),
        (ScanEvidence(evidence().record, evidence().sarif + b"\n"), "not in the one form"),
        (ScanEvidence(evidence().record, evidence(sighting(Severity.LOW)).sarif), "not the one of its record"),
        (evidence(scanner=SECRETS), "has the record of"),
        (evidence(error="was ended by signal 9"), "signal 9"),
        (evidence(applicable=False), "nothing to read, but a.py, b.py"),
        (evidence(version="2.0"), "installed in version '2.0'"),
        (evidence(version=""), "installed in version ''"),
        (evidence(rules=()), "ran no rule"),
        (evidence(rules=("B101",)), "1 rules by its record, 3 by its SARIF"),
        (evidence(report=Report("ruff", "1.9.4", ("B101", "B102", "B602"), SEEDED)), "SARIF of 'ruff'"),
        (evidence(report=Report("bandit", "1.9.4", ("B101", "B102", "B602"), SEEDED[:2])), "missed its canary: 1 of 3"),
        (evidence(report=Report("bandit", "1.9.4", ("B101", "B102", "B602"), ())), "missed its canary: 3 of 3"),
        (evidence(canary_found=()), "another canary"),
        (evidence(canary_expected=()), "another canary"),
        (evidence(files={}), "read no file"),
        (evidence(files={"a.py": "1" * 64}), "read 1 of 2 files: not b.py (not in the record)"),
        (evidence(files={"a.py": "1" * 64}, unread={"b.py": "not UTF-8 text"}), "not b.py (not UTF-8 text)"),
        (evidence(files={"a.py": "9" * 64, "b.py": "2" * 64}), "read another tree: a.py"),
        (evidence(files={"a.py": "1" * 64, "b.py": "2" * 64, "c.py": "3" * 64}), "read another tree: c.py"),
        (evidence(seen("old.py", 1, "B101", Severity.LOW)), "found something in old.py"),
    ],
)
def test_evidence_that_proves_nothing_is_an_error(given, reason):
    """Every way of not having looked is an ERROR without a value, and its reason says which."""
    one = answer(given)
    assert (one.verdict, one.value) == (Verdict.ERROR, None), one.reason
    assert reason in one.reason


def test_an_expected_scanner_without_evidence_is_inconclusive():
    """No record is an answer, one for each scanner that is expected."""
    said = answers({}, SOURCE, SastPolicy())
    assert [one.gate for one in said] == [gate_of(name) for name in SCANNERS]
    assert {one.verdict for one in said} == {Verdict.INCONCLUSIVE}


def test_an_empty_list_of_the_source_proves_nothing():
    """Without a list of the source neither silence nor "nothing to read" is believed."""
    assert answer(evidence(), source={}).verdict is Verdict.ERROR
    (one,) = answers({ZIZMOR: not_applicable(ZIZMOR)}, {}, SastPolicy((ZIZMOR,)))
    assert one.verdict is Verdict.ERROR


def test_no_gate_only_where_the_tree_has_no_file_of_the_kind():
    """Over SOURCE zizmor has no gate; with a workflow in the source, "nothing to read" is an ERROR."""
    given = {ZIZMOR: not_applicable(ZIZMOR)}
    assert answers(given, SOURCE, SastPolicy((ZIZMOR,))) == ()
    (one,) = answers(given, SOURCE | {".github/workflows/ci.yaml": "4" * 64}, SastPolicy((ZIZMOR,)))
    assert one.verdict is Verdict.ERROR


def test_a_scanner_that_nobody_expected_is_judged_too():
    """Evidence beyond the expected scanners gets its gate."""
    gates = {one.gate for one in answers({BANDIT: evidence(error="crashed")}, SOURCE, SastPolicy((SECRETS,)))}
    assert gates == {"sast_bandit", "sast_detect_secrets"}


def test_open_findings_are_told_in_the_common_words():
    """Findings name scanner, rule and place; accepted ones and the canary are none."""
    given = evidence(sighting(Severity.HIGH), sighting(Severity.LOW, "# nosec B301"))
    assert findings(BANDIT, given) == (Finding(BANDIT, "B301", Severity.HIGH, "a.py:7", "pickle"),)


def test_sarif_and_record_read_back_what_was_written():
    """Writing and reading are inverse, for paths with spaces and letters of any language."""
    given = evidence(seen("a b/ü.py", 1, "B101", Severity.UNKNOWN, "„x“", "# nosec B101"))
    assert write_sarif(read_sarif(given.sarif)) == given.sarif
    assert write_record(read_record(given.record)) == given.record


@pytest.mark.parametrize(
    ("scanner", "path", "does"),
    [
        (BANDIT, "a/b.py", True),
        (BANDIT, "a/b.pyi", True),
        (BANDIT, "a/b.txt", False),
        (LINT, "a.py", True),
        (SECRETS, "Makefile", True),
        (SECRETS, "requirements.lock", True),
        (SECRETS, "docs/a.png", False),
        (ZIZMOR, ".github/workflows/ci.yml", True),
        (ZIZMOR, ".github/workflows/deep/ci.yml", False),
        (ZIZMOR, "docs/ci.yml", False),
        (ZIZMOR, "actions/x/action.yaml", True),
        (HADOLINT, "Dockerfile", True),
        (HADOLINT, "image/engine.Dockerfile", True),
        (HADOLINT, "Dockerfile.test", True),
        (HADOLINT, "Dockerfile.dockerignore", False),
        (HADOLINT, "Dockerfiles/readme", False),
    ],
)
def test_each_scanner_has_its_kind_of_file(scanner, path, does):
    """The kind of a file follows from its path alone, so that whoever has the list can tell."""
    assert reads(scanner, path) is does


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, st.data())
def test_no_evidence_makes_the_judge_stumble(value, data):
    """Whatever stands in a field of the record or the SARIF, there is an Answer, and it is no PASS if it changed."""
    good = evidence()
    record, sarif = json.loads(good.record), json.loads(good.sarif)
    (run,) = sarif["runs"]
    place, key = data.draw(
        st.sampled_from(
            [(held, key) for held in (record, run, run["tool"]["driver"], run["results"][0]) for key in sorted(held)]
        )
    )
    same = place[key] == value
    place[key] = value
    changed = rfc8785.dumps(sarif)
    if place is not record:
        record["sarif"] = digest_of(changed)
    one = answers({BANDIT: ScanEvidence(rfc8785.dumps(record), changed)}, SOURCE, ONLY)
    harmless = place is record and key in {"options", "exit", "unread"}
    assert same or harmless or one[0].verdict is Verdict.ERROR
