"""Real scanners over a small tree, and the same scanners with one thing wrong: never a green for silence."""

import importlib.metadata
import json
import sys
from pathlib import Path

import pytest

from lens_core.adapters.scanners import SourceScanner, default_scanners, laid_out, list_source, scan_source
from lens_core.errors import InvalidInput
from lens_core.model import Verdict
from lens_core.supply.sast import LINTING, SastPolicy, answers, findings, sightings
from lens_core.supply.scanner_kinds import BANDIT, HADOLINT, LINT, RUFF, SCANNERS, SECRETS, SEMGREP, ZIZMOR
from lens_core.supply.scanner_output import PROOF_LABEL
from lens_core.supply.words import Severity

FAKE = Path(__file__).parents[2] / "fake_scanner.py"
ALL = (*SCANNERS, LINT)
TREE = {
    "a.py": '"""A module."""\n\nprint("hello")\n',
    "b.py": '"""Another."""\n\nexec("1")  # nosec B102  # noqa: S102  (a constant)\n',
    "README.md": "# Words\n",
    "requirements.lock": "thing==1 --hash=sha256:" + "0" * 64 + "\n",
    "image.png": "not text for detect-secrets",
    "Dockerfile": "FROM debian:12.5-slim\nUSER 1000\n",
    ".github/workflows/ci.yml": (
        "name: ci\non: push\npermissions: {}\njobs:\n  ci:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: make\n"
    ),
}
FAULTS = (
    "crash",
    "exit 3",
    "exit 7 as with bad rules",
    "prints nothing",
    "truncated",
    "not UTF-8",
    "two documents",
    "an HTML page",
    "null",
    "nested too deep",
    "finds nothing",
    "misses the canary",
    "another tool",
    "another version",
    "no rules",
    "skips a file",
    "yesterday's tree",
)
CASES = [(name, fault) for name in (*ALL, SEMGREP) for fault in FAULTS]
CASES.remove((SEMGREP, "another version"))  # only an installed one has a version to compare with


def lay(folder, files):
    """Write ``files`` (path → text or bytes) into ``folder``."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def answer_of(name, evidence, tree):
    """The one Answer about scanner ``name``."""
    policy = LINTING if name == LINT else SastPolicy(scanners=(name,))
    (answer,) = answers({name: evidence}, list_source(tree), policy)
    return answer


def scan(tree, scanner):
    """Evidence of one scanner over ``tree``."""
    return scan_source(tree, [scanner], lambda _: None)[scanner.name]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A small tree with a file for each scanner."""
    return lay(tmp_path_factory.mktemp("tree"), TREE)


@pytest.fixture(scope="module")
def layout(tree):
    """The tree laid out once: scanners only read it."""
    with laid_out(tree) as laid:
        yield laid


@pytest.fixture(scope="module")
def said(layout, tmp_path_factory):
    """What each real scanner said of the tree, kept in a folder of its own, and the evidence made from it."""
    folder = tmp_path_factory.mktemp("said")
    kept = {}
    for name in ALL:
        (folder / name).mkdir()
        real = SourceScanner(name)._command
        command = (sys.executable, str(FAKE), "record", str(folder / name), *real)
        kept[name] = SourceScanner(name, command).scan(layout)
    (folder / SEMGREP).mkdir()
    (folder / SEMGREP / "main").write_text(json.dumps({"out": json.dumps(semgrep_document()), "err": "", "code": 0}))
    return folder, kept


def semgrep_document():
    """What semgrep prints, cut down to what is read; it is not among what the tests may expect to be installed."""
    at = [
        {"check_id": "process-through-a-shell", "path": "canary/python.py", "start": {"line": line}} for line in (2, 4)
    ]
    for entry in at:
        entry |= {"end": entry["start"], "extra": {"severity": "ERROR", "message": "through a shell"}}
    scanned = ["canary/python.py", "tree/a.py", "tree/b.py"]
    document = {"version": "1.185.0", "results": at, "errors": [], "paths": {"scanned": scanned}}
    return document | {"time": {"rules": ["process-through-a-shell"]}}


def faulty(name, fault, said, **more):
    """The scanner ``name`` with one thing wrong."""
    command = (sys.executable, "-I", "-S", str(FAKE), fault, str(said[0] / name))
    return SourceScanner(name, command, **more)


@pytest.mark.parametrize("name", ALL)
def test_a_scanner_that_looked_and_found_nothing_passes(name, said, tree):
    """The control: every scanner gives a green over a clean tree, counting its files."""
    answer = answer_of(name, said[1][name], tree)
    assert answer.verdict is Verdict.PASS, answer.reason
    assert answer.sample_count == {ZIZMOR: 1, HADOLINT: 1, SECRETS: 6}.get(name, 2)


@pytest.mark.parametrize("name", [*ALL, SEMGREP])
def test_the_same_said_again_passes(name, said, layout, tree):
    """The control of the table below: without a fault the fake gives the green that faults must take away."""
    evidence = faulty(name, "none", said).scan(layout)
    assert answer_of(name, evidence, tree).verdict is Verdict.PASS
    assert name == SEMGREP or evidence == said[1][name], "the evidence holds no clock time and no scratch path"


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_a_scanner_with_a_fault_is_never_green(name, fault, said, layout, tree):
    """17 faults of 7 scanners (but one): each is an ERROR that says what happened."""
    answer = answer_of(name, faulty(name, fault, said).scan(layout), tree)
    assert answer.verdict is Verdict.ERROR, (answer.verdict, answer.reason)
    assert answer.value is None
    assert (fault == "yesterday's tree") == ("tree/yesterday.py, which is no file of this tree" in answer.reason)


@pytest.mark.parametrize("name", ALL)
def test_a_scanner_that_hangs_is_ended(name, said, layout, tree):
    """A time limit ends it; that is an ERROR."""
    answer = answer_of(name, faulty(name, "hangs", said, timeout_seconds=0.2).scan(layout), tree)
    assert (answer.verdict, "did not end within 0.2 s" in answer.reason) == (Verdict.ERROR, True)


@pytest.mark.parametrize("command", ["/nowhere/scanner", str(FAKE.parent)])
def test_a_scanner_that_cannot_be_started_is_an_error(command, layout, tree):
    """A missing program and one that is none are told by their names."""
    answer = answer_of(BANDIT, SourceScanner(BANDIT, [command]).scan(layout), tree)
    assert (answer.verdict, "could not be started" in answer.reason) == (Verdict.ERROR, True)


@pytest.mark.parametrize(
    ("name", "path", "content"),
    [
        (BANDIT, "broken.py", "x = (\n"),
        (RUFF, "broken.py", "x = (\n"),
        (LINT, "broken.py", "x = (\n"),
        (BANDIT, "latin.py", b"x = '\xff\xfe'\n"),
        (RUFF, "latin.py", b"x = '\xff\xfe'\n"),
        (SECRETS, "latin.txt", b"\xff\xfe password = 'correct horse battery'\n"),  # pragma: allowlist secret
        (ZIZMOR, ".github/workflows/broken.yml", "jobs: [\n"),
        (HADOLINT, "Dockerfile.broken", "FROM x:1\nFOO bar\n"),
        (HADOLINT, "Dockerfile.empty", ""),
    ],
)
def test_a_file_that_the_real_scanner_skips_is_an_error(name, path, content, tmp_path):
    """Scanners step over what they cannot read and end well; here the file is named."""
    tree = lay(tmp_path, TREE | {path: content})
    answer = answer_of(name, scan(tree, SourceScanner(name)), tree)
    assert answer.verdict is Verdict.ERROR, answer.reason
    assert path in answer.reason


@pytest.mark.parametrize(
    ("name", "files", "rule"),
    [
        (BANDIT, {"x.py": "exec(a)  # nosec\n", ".bandit": "[bandit]\nskips: B102\nexclude: /\n"}, "B102"),
        (
            RUFF,
            {
                "x.py": "exec(a)  # noqa\n",
                "ruff.toml": 'lint.per-file-ignores = {"*" = ["ALL"]}\n',
                ".gitignore": "*\n",
            },
            "S102",
        ),
        (SECRETS, {"yarn.lock": 'k = "AKIA' + 'Z4QX7RMT2WVB5N3D"\n'}, "AWS Access Key"),
        (
            ZIZMOR,
            {
                ".github/zizmor.yml": "rules: {dangerous-triggers: {disable: true}}\n",
                ".github/workflows/x.yml": TREE[".github/workflows/ci.yml"].replace("push", "pull_request_target"),
            },
            "dangerous-triggers",
        ),
        (HADOLINT, {"Dockerfile.x": "FROM debian:latest\n", ".hadolint.yaml": "ignored: [DL3007]\n"}, "DL3007"),
        (LINT, {"x.py": "import os\n"}, "F401"),
    ],
)
def test_a_configuration_in_the_tree_hides_nothing(name, files, rule, tmp_path):
    """Neither configuration files nor comments that name no rule keep a finding from failing the gate."""
    tree = lay(tmp_path, files)
    evidence = scan(tree, SourceScanner(name))
    answer = answer_of(name, evidence, tree)
    assert answer.verdict is Verdict.FAIL, answer.reason
    assert rule in {finding.rule for finding in findings(name, evidence)}
    assert rule in answer.reason


def test_what_a_comment_accepts_is_shown(said):
    """An accepted finding stands in the SARIF with the comment that accepts it."""
    for name, rule in ((BANDIT, "B102"), (RUFF, "S102")):
        (seen,) = [one for one in sightings(said[1][name]) if one.severity is not Severity.LOW]
        assert (seen.rule, seen.path, seen.line) == (rule, "b.py", 3)
        assert seen.accepted.startswith("#")


def test_no_files_of_a_kind_leave_no_gate(tmp_path):
    """Without a workflow file zizmor has no gate, and its record says that there was nothing to read."""
    tree = lay(tmp_path, {"a.py": TREE["a.py"]})
    evidence = scan(tree, SourceScanner(ZIZMOR))
    assert json.loads(evidence.record)["applicable"] is False
    assert answers({ZIZMOR: evidence}, list_source(tree), SastPolicy(scanners=(ZIZMOR,))) == ()


def test_evidence_does_not_depend_on_the_place(tree, tmp_path):
    """The same tree elsewhere gives the same bytes."""
    elsewhere = lay(tmp_path / "another place", TREE)
    assert scan(elsewhere, SourceScanner(RUFF)) == scan(tree, SourceScanner(RUFF))


def test_versions_are_those_that_are_installed(said):
    """The record names the version of the installed package."""
    assert json.loads(said[1][BANDIT].record)["version"] == importlib.metadata.version("bandit")


def test_an_empty_folder_is_refused(tmp_path):
    """There is no tree without files."""
    with pytest.raises(InvalidInput, match="expected source files"), laid_out(tmp_path):
        pass


def test_the_label_that_proves_reading_is_in_no_finding(said):
    """The proof that hadolint reads a file is no finding of it."""
    assert PROOF_LABEL not in said[1][HADOLINT].sarif.decode()


def test_semgrep_joins_only_with_rules(tmp_path):
    """Every cut runs the five scanners and lint; without rules there is no semgrep."""
    assert [scanner.name for scanner in default_scanners(tmp_path / "no rules")] == [*SCANNERS, LINT]
