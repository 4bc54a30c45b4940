"""The command line as its users meet it: help, exit codes, JSON, and what a kill leaves behind."""

import json
import os
import signal
import subprocess
import sys

import pytest
from fakes import SLICES, build_house
from places import PROJECT, make_home

from lens_core import cli, nights_cli
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.errors import Refused
from lens_core.model import NightState, Verdict
from lens_core.night import NightRequest

pytestmark = pytest.mark.usefixtures("unmeasured")


def run(*arguments, home=None, **changes):
    """Run the real command in a process of its own."""
    environment = {**os.environ, "LENS_CONFIG": str(PROJECT / "lens.toml"), **changes}
    if home is not None:
        environment["LENS_HOME"] = str(home)
    command = [sys.executable, "-m", "lens_core.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def call(monkeypatch, capsys, house, *arguments):
    """Call the command in this process, over a house of fakes; exit code and output."""
    monkeypatch.setattr(nights_cli, "open_lens", lambda: house.lens)
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code, capsys.readouterr().out


@pytest.fixture
def ask(monkeypatch, capsys, tmp_path):
    """The real command over an empty home, in this process: a process each would mostly wait for imports."""
    monkeypatch.setenv("LENS_CONFIG", str(PROJECT / "lens.toml"))
    monkeypatch.setenv("LENS_HOME", str(tmp_path))

    def asked(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        return ended.value.code, *capsys.readouterr()

    return asked


@pytest.fixture
def house(tmp_path):
    """A house of fakes."""
    return build_house(tmp_path)


def test_version_is_the_programs_own_and_every_command_has_help():
    """`lens --version` prints Lens's version; a subcommand's --version is the candidate's."""
    assert run("--version").stdout.startswith("lens 0.")
    assert "candidate to judge" in run("nightly-validation", "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nightly-validation", "--sizes", "tiny"), "tiny"),
        (("nightly-validation", "--repo-types", "frontend", "--languages", "python"), "frontend/python/*"),
        (("nightly-validation", "--duration", "0"), "duration"),
        (("nightly-validation", "--duration", "nan"), "duration"),
        (("night", "show", "yesterday"), "yesterday"),
        (("night", "verify", "2020-01-01"), "no night"),
    ],
)
def test_a_wrong_request_exits_with_2_and_says_what_to_change(ask, arguments, words):
    """The caller's mistakes are named on standard error, and end in no other exception."""
    code, _, errors = ask(*arguments)
    assert code == 2
    assert words in errors


def test_without_a_network_a_corpus_that_is_not_cached_exits_with_4(ask):
    """Offline, the missing corpus is named together with the command that fetches it."""
    code, out, _ = ask("corpora", "fetch", "--offline", "--sizes", "small", "--languages", "python")
    assert code == 4
    assert "backend/python/small" in out
    assert "lens corpora fetch" in out


def test_the_catalogue_is_listed(ask):
    """Twelve slices with their repositories and licences; the weak fits are said."""
    listed = json.loads(ask("corpora", "list", "--json")[1])
    assert len(listed) == 12
    assert all(corpus["licence"] and corpus["archives"] for corpus in listed)
    assert "flask" in ask("corpora", "list")[1]


def test_an_empty_ledger_says_how_to_begin(ask):
    """No night yet is no error, and names the command for the first."""
    code, out, _ = ask("nights")
    assert (code, "lens nightly-validation" in out) == (0, True)


def test_a_judged_night_is_shown_with_its_reasons(monkeypatch, capsys, house):
    """A night that passes exits with 0; its table, waivers and verdict are printed."""
    code, out = call(monkeypatch, capsys, house, "nightly-validation", "--duration", "0.05")
    assert code == 0
    for words in (*SLICES, "WAIVED", "first release", "verdict"):
        assert words in out
    code, out = call(monkeypatch, capsys, house, "night", "show", "2026-11-24")
    assert (code, "ndcg_at_10_vs_baseline" in out) == (0, True)
    assert "2026-11-24.1" in call(monkeypatch, capsys, house, "nights")[1]
    assert "stands" in call(monkeypatch, capsys, house, "night", "verify", "2026-11-24")[1]


def test_a_night_that_does_not_pass_exits_with_1(monkeypatch, capsys, house):
    """Judged and red is told apart from refused, unavailable and broken."""
    house.load.latencies_ms = (200.0, 200.0, *([1.0] * 48))
    code, out = call(monkeypatch, capsys, house, "nightly-validation", "--duration", "0.1", "--json")
    assert code == 1
    shown = json.loads(out)
    assert shown["night"]["verdict"] == "FAIL"
    assert {a["gate"] for a in shown["answers"] if a["verdict"] == "FAIL"} == {"tail_ratio"}
    assert call(monkeypatch, capsys, house, "nightly-validation", "--duration", "0.1")[0] == Refused.exit_code


def test_every_reading_command_speaks_json(monkeypatch, capsys, house):
    """Nights, a night and its verification can be read by programs."""
    house.lens.nightly_validation(NightRequest(0.05))
    assert json.loads(call(monkeypatch, capsys, house, "nights", "--json")[1])[0]["verdict"] == "WAIVED"
    shown = json.loads(call(monkeypatch, capsys, house, "night", "show", "2026-11-24", "--json")[1])
    assert {"night", "answers", "measurements", "evidence"} == set(shown)
    assert json.loads(call(monkeypatch, capsys, house, "night", "verify", "2026-11-24", "--json")[1])["problems"] == []


def test_a_night_that_was_tampered_with_exits_with_5(monkeypatch, capsys, house):
    """Verification fails with the exit code of broken evidence, and names the file."""
    house.lens.nightly_validation(NightRequest(0.05))
    item = next(e for e in house.lens.evidence("2026-11-24.1") if e.path.endswith("samples.parquet"))
    with (house.home / item.path).open("ab") as handle:
        handle.write(b"x")
    monkeypatch.setattr(nights_cli, "open_lens", lambda: house.lens)
    with pytest.raises(SystemExit) as ended:
        cli.main(["night", "verify", "2026-11-24"])
    assert ended.value.code == 5
    assert item.path in capsys.readouterr().err


FLASK = ("--repo-types", "backend", "--languages", "python", "--sizes", "small")


def end_in_the_middle(tmp_path, number):
    """Start a real night, end it by a signal once it measures; its home, its exit code and its rows."""
    home = make_home(tmp_path / "home")
    environment = {**os.environ, "LENS_HOME": str(home), "LENS_CONFIG": str(PROJECT / "lens.toml")}
    command = [sys.executable, "-m", "lens_core.cli", "nightly-validation", "--duration", "5", *FLASK]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as night:
        for line in night.stderr:
            if "prepared" in line:
                break
        night.send_signal(number)
        night.communicate()  # its last words must find somebody who listens
    return home, night.returncode, SqlLedger(home / "lens.db").nights()


def test_a_killed_night_is_closed_as_an_error_by_the_next_start(tmp_path):
    """SIGKILL in the middle leaves an open night; the next start closes it as ERROR and may run again."""
    home, _, [left] = end_in_the_middle(tmp_path, signal.SIGKILL)
    assert (left.state, left.verdict) == (NightState.OPEN, None)
    # The next start is refused for its own reason, after it has cleared up.
    done = run("nightly-validation", "--version", "9.9.9", *FLASK, home=home)
    assert done.returncode == 2
    [closed] = SqlLedger(home / "lens.db").nights()
    assert (closed.state, closed.verdict) == (NightState.CLOSED, Verdict.ERROR)
    assert "died" in closed.reason


def test_a_scheduler_that_ends_a_night_leaves_it_closed(tmp_path):
    """SIGTERM closes the night as ERROR on the way out, and the exit code names the signal."""
    _, code, [closed] = end_in_the_middle(tmp_path, signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    assert (closed.state, closed.verdict) == (NightState.CLOSED, Verdict.ERROR)
