"""What is known of a candidate, gathered from a real home: looks at advisories, waivers, drills, nights, alerts."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from good_cut import PYPI, advisory, hour_before, write_advisories
from ready_home import EARLIER, PEOPLE, VERSION, make_ready_home

from lens_core.adapters.git_source import GitSource
from lens_core.adapters.samples import ParquetSamples
from lens_core.adapters.ssh_signatures import SshSigner
from lens_core.audit_records import held_night, night_record
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.model import Verdict
from lens_core.night_evidence import NightEvidence
from lens_core.qualification import Qualification
from lens_core.qualification_bootstrap import open_qualification
from lens_core.signoff.words import Act, Role
from lens_core.signoff_bootstrap import open_signoff

KNOWN = "PYSEC-2026-9"
MILD = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with everything but approvals; nobody changes it."""
    return make_ready_home(tmp_path_factory.mktemp("ready") / "it")


@pytest.fixture
def ready(made, tmp_path):
    """A copy of it."""
    return made.copy(tmp_path / "copy")


def qualification(ready, **options):
    """What gathers."""
    return open_qualification(ready.settings, **options)


def become_known(ready, *advisories):
    """The sources know of vulnerabilities from now on."""
    write_advisories(ready.advisories, hour_before(ready.clock.now()), *advisories)


def waive(ready, person=PEOPLE[Role.SECURITY], vulnerability=KNOWN):
    """State a waiver of the vulnerability in flask; what was recorded."""
    desk = open_signoff(ready.home, ready.config)
    waived = {"vulnerability": vulnerability, "purl": PYPI, "state": "not_affected", "grounds": "code_not_reachable"}
    content = desk.draft(Act.WAIVE, VERSION, person, Role.SECURITY, "we do not call it", waived=waived)
    return desk.record(SshSigner(ready.key(person)).sign(content))


def test_a_case_names_everything_that_a_signature_is_about(made):
    """Cut, drill, nights with their records, scan, every factor, five policies, and a log that verifies."""
    case = qualification(made).case(VERSION)
    assert (case.audit, case.cut.faults, case.drill.fault) == ("", (), "")
    assert not any(one.fault for one in case.nights)
    assert case.cut.files["gates.json"].startswith("sha256:")
    assert not {"dependency_audit", "container_scan", "vulnerabilities"} & {one.gate for one in case.cut.answers}
    assert [one.night.night_id for one in case.nights] == [f"{day}.1" for day in made.days()]
    assert set(case.policies) == {"night", "dataset", "cut", "drill", "signoff"}
    factors = {rule.name for rule in made.settings.signoff.rules(()).factors}
    assert {one.factor for one in case.measured} | {"streak", "rollback_safety"} == factors
    assert (case.scan.verdict, case.drill.verdict, case.drill.rollback_safe) == (Verdict.PASS, Verdict.PASS, "yes")


def test_the_newest_cut_is_meant_when_none_is_named(made):
    """Versions may be written with a v; one that was never cut is said to be unknown, with those that are known."""
    gather = qualification(made)
    assert (gather.version(), gather.version(f"v{EARLIER}")) == (VERSION, EARLIER)
    with pytest.raises(InvalidInput, match="none such") as refused:
        gather.case("9.9.9")
    assert VERSION in refused.value.hint


def test_a_later_look_takes_the_place_of_the_nights(ready):
    """What becomes known after the last night counts from the look on, and not before."""
    gather = qualification(ready)
    become_known(ready, advisory(KNOWN))
    assert gather.case().scan.verdict is Verdict.PASS
    assert gather.rescan().verdict is Verdict.FAIL
    case = gather.case()
    assert (case.scan.verdict, KNOWN in case.scan.reason, len(case.findings)) == (Verdict.FAIL, True, 1)
    assert not case.audit


def test_what_is_mild_is_known_and_does_not_block(ready):
    """It stands among the findings that a signature names, and counts in the risk."""
    become_known(ready, advisory(KNOWN, severity=MILD))
    gather = qualification(ready)
    assert gather.rescan().verdict is Verdict.PASS
    case = gather.case()
    assert case.findings == (f"{KNOWN} in {PYPI} (medium)",)
    assert next(one.value for one in case.measured if one.factor == "vulnerabilities") == 1.0


@pytest.mark.parametrize("harm", ["gone", "altered"])
def test_a_look_whose_reports_are_not_what_was_recorded_is_none(ready, harm):
    """The nights' older word does not come back in its place."""
    gather = qualification(ready)
    gather.rescan()
    [folder] = (ready.home / "scans" / ready.candidate().digest.hex).iterdir()
    if harm == "gone":
        shutil.rmtree(folder)
    else:
        [report] = folder.iterdir()
        document = json.loads(report.read_bytes())
        report.write_bytes(json.dumps(document | {"records": 99}, sort_keys=True, separators=(",", ":")).encode())
    assert gather.case().scan.verdict is Verdict.ERROR


def test_who_cannot_ask_is_told_so(ready):
    """Without a source, or with a cut that does not verify, nothing is asked and nothing recorded."""
    text = ready.config.read_text(encoding="utf-8")
    ready.config.write_text(text.replace(f'osv_dir = "{ready.advisories}"', 'osv_dir = ""'), encoding="utf-8")
    with pytest.raises(InvalidInput, match="advisory source"):
        qualification(ready).rescan()
    (ready.home / "releases" / VERSION / "gates.json").unlink()
    with pytest.raises(IntegrityError, match=r"gates\.json"):
        qualification(ready).rescan()


def test_a_waiver_of_security_holds_for_its_candidate_until_it_is_taken_back(ready):
    """The same reports say WAIVED then, the waiver is named, and after a revoke they say FAIL again."""
    become_known(ready, advisory(KNOWN))
    gather = qualification(ready)
    gather.rescan()
    stated = waive(ready)
    case = gather.case()
    assert (case.scan.verdict, case.findings) == (Verdict.WAIVED, ())
    assert "bo@example.org" in case.waivers[0]
    assert next(one.value for one in case.measured if one.factor == "waivers") == 1.0
    desk, person = open_signoff(ready.home, ready.config), PEOPLE[Role.SECURITY]
    content = desk.draft(Act.REVOKE, VERSION, person, Role.SECURITY, "we do call it", refers=stated.digest)
    desk.record(SshSigner(ready.key(person)).sign(content))
    assert gather.case().scan.verdict is Verdict.FAIL


def test_a_waiver_of_the_file_holds_until_its_date(ready):
    """Judged by today: the same file and the same reports fail once the date is over."""
    become_known(ready, advisory(KNOWN))
    until = ready.clock.now().date() + timedelta(days=1)
    entry = {
        "id": KNOWN,
        "affects": [{"ref": PYPI}],
        "analysis": {"state": "not_affected", "detail": "not called", "justification": "code_not_reachable"},
        "properties": [{"name": "lens:owner", "value": "bo"}, {"name": "lens:expires", "value": until.isoformat()}],
    }
    vex = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "vulnerabilities": [entry]}
    file = ready.project / "data" / "waivers.cdx.json"
    file.write_text(json.dumps(vex), encoding="utf-8")
    qualification(ready).rescan()
    assert qualification(ready, clock=ready.clock).case().scan.verdict is Verdict.WAIVED
    ready.clock.moment += timedelta(days=2)
    case = qualification(ready, clock=ready.clock).case()
    assert (case.scan.verdict, "expired" in case.scan.reason) == (Verdict.FAIL, True)
    file.write_text("{", encoding="utf-8")
    assert qualification(ready, clock=ready.clock).case().scan.verdict is Verdict.ERROR


def test_a_night_honours_what_was_stated_and_keeps_it(ready):
    """The waiver lies in the night's folder as VEX, beside the reports that it is about."""
    become_known(ready, advisory(KNOWN))
    day = ready.clock.now().date()
    ready.clock.moment += timedelta(hours=1)  # after the advisories' date
    qualification(ready).rescan()
    waive(ready)
    night = ready.lens().nightly_validation(ready.request())
    answers = {one.gate: one for one in ready.ledger.answers(night.night_id) if not one.slice}
    assert (night.night_date, answers["vulnerabilities"].verdict) == (day, Verdict.WAIVED)
    kept = json.loads((ready.home / night.folder / "advisories" / "vex.cdx.json").read_bytes())
    assert [one["id"] for one in kept["vulnerabilities"]] == [KNOWN]


def test_a_later_drill_that_does_not_pass_counts(ready):
    """Also when the whole one before it did."""
    place = ready.home / "drills" / VERSION
    shutil.copytree(place / "1", place / "2")
    case = qualification(ready).case()
    assert "drill 2 does not verify" in case.drill.fault, "a copy under another number is not what was sealed"


def test_what_was_never_watched_is_no_good_news(made):
    """Without a live monitor there is no data, which is not the same as no alert; the rest is measured."""
    measured = {one.factor: one for one in qualification(made).case().measured}
    assert measured["open_alerts"].value is None
    assert measured["change_size"].value == 1.0
    assert 0 < measured["margin"].value < 1


class Liar:
    """A ledger in which one answer of every night is better than its samples, and that knows how to say so."""

    def __init__(self, ledger):
        self._ledger = ledger

    def __getattr__(self, name):
        """As the real one, but for the answers."""
        return getattr(self._ledger, name)

    def answers(self, night_id):
        """Everything passes, also what was waived."""
        return tuple(replace(one, verdict=Verdict.PASS) for one in self._ledger.answers(night_id))

    def nights(self):
        """So the night is recorded as a pass."""
        return tuple(replace(one, verdict=Verdict.PASS) for one in self._ledger.nights())


@pytest.mark.parametrize("recompute", [False, True])
def test_a_lie_that_the_log_tells_too_is_found_in_the_samples(made, recompute):
    """Rows that agree with their audit entry are believed, until somebody judges the samples again."""
    ledger = Liar(made.ledger)
    claimed = {
        held_night(one.night_id): night_record(
            one, ledger.answers(one.night_id), ledger.measurements(one.night_id), ledger.evidence(one.night_id)
        )
        for one in ledger.nights()
    }
    policy = made.settings.policy.policy()
    evidence = NightEvidence(ledger, ParquetSamples(), made.home, policy, claimed, recompute=recompute)
    faults = [evidence.case(one).fault for one in ledger.nights()]
    assert all("judging again gives WAIVED" in fault for fault in faults) if recompute else not any(faults)


def test_git_counts_lines_between_commits_that_it_knows(made):
    """Added and removed ones; None for a commit that is not there, or for what is no commit."""
    source = GitSource(made.project)
    first, second = made.candidate(EARLIER).commit, made.candidate(VERSION).commit
    assert source.lines_changed(first, second) == source.lines_changed(second, first) == 1
    assert source.lines_changed(first, first) == 0
    assert source.lines_changed(first, "0" * 40) is None
    assert source.lines_changed("--output=x", second) is None


def faults(ready):
    """Why nights are not believed, by their ids, where there is a reason."""
    return {one.night.night_id: one.fault for one in qualification(ready).case().nights if one.fault}


def test_one_byte_of_a_nights_evidence_is_one_too_many(ready):
    """The night whose file it is names the file and both digests; the others are believed."""
    night = f"{ready.days()[1]}.1"
    file = ready.home / "nights" / night / "backend-python-small" / "samples.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    found = faults(ready)
    assert found.keys() == {night}
    assert "samples.parquet: expected sha256:" in found[night]


def test_a_nights_rows_are_those_that_its_audit_entry_names(ready):
    """Words that somebody put into the database later are not the night's."""
    night = f"{ready.days()[0]}.1"
    with closing(sqlite3.connect(ready.ledger_file)) as ledger, ledger:
        ledger.execute("UPDATE answer SET reason = 'it was fine' WHERE night_id = ?", (night,))
    found = faults(ready)
    assert found.keys() == {night}
    assert "its audit entry names sha256:" in found[night]


def test_a_look_that_the_log_does_not_know_is_none(ready):
    """A kinder word on the candidate that was put into the database by hand."""
    become_known(ready, advisory(KNOWN))
    gather = qualification(ready)
    gather.rescan()
    with closing(sqlite3.connect(ready.ledger_file)) as ledger, ledger:
        ledger.execute("UPDATE scan SET verdict = 'PASS'")
    scan = gather.case().scan
    assert (scan.verdict, "no entry" in scan.reason) == (Verdict.ERROR, True)


class Garbled:
    """A ledger of statements of which one says something else beside it than in it."""

    def __init__(self, statements):
        self._statements = statements

    def __getattr__(self, name):
        """As the real one, but for the statements."""
        return getattr(self._statements, name)

    def statements(self, candidate=None):
        """What was a rejection is filed as a comment."""
        return tuple(replace(one, act=Act.COMMENT) for one in self._statements.statements(candidate))


def test_a_statement_that_cannot_be_read_may_have_been_a_no(ready):
    """It is not left out: nothing is believed until somebody has looked."""
    desk, person = open_signoff(ready.home, ready.config), PEOPLE[Role.QA]
    desk.record(SshSigner(ready.key(person)).sign(desk.draft(Act.REJECT, VERSION, person, Role.QA, "no")))
    gather = qualification(ready)
    world = replace(gather._world, statements=Garbled(gather._world.statements))
    case = Qualification(world).case()
    assert (case.statements, "cannot be read" in case.audit) == ((), True)


def test_the_cut_is_the_one_that_the_ledger_remembers(ready):
    """Another one under the same version, sealed by the same trusted key, is at fault."""
    gather = qualification(ready)
    told = tuple(replace(one, manifest=one.candidate.digest) for one in gather._world.ledger.releases())
    gather._world.ledger.releases = lambda: told
    [fault] = gather.case().cut.faults
    assert "as the ledger has it" in fault
