"""Makes the dumps beside it: ledgers of every earlier schema, filled by the code that wrote them then.

``python tests/ledgers/make.py`` takes that code out of the repository's history. The dumps are committed, so that
migrating is tested against what was really written, and nobody needs the history for it.
"""

import io
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing, suppress
from dataclasses import fields
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
MADE_BY = {
    "0-first": "8b0870b",
    "1": "664aeae",
    "2-alerts": "d8f3f28",
    "2-rounds": "80aff46",
    "2": "ae8034f",
    "3": "82d0001",
}
"""Name of the dump → the last commit that wrote ledgers of this shape. Schema 2 grew in two branches at once."""

NOW = datetime(2026, 11, 20, 2, 30, 15, 250, tzinfo=UTC)
SLICE = "backend/python/small"


def fill(file: Path) -> None:
    """Write nights, alerts and releases as far as the ``lens_core`` on the path knows them."""
    model = import_module("lens_core.model")
    ledger = import_module("lens_core.adapters.sql_ledger").SqlLedger(file)
    old, new = (
        model.Candidate(f"0.{n}.0", model.Digest("sha256:" + str(n) * 64), str(n) * 40, dirty=n == 2) for n in (1, 2)
    )
    for candidate in (old, new):
        ledger.add_candidate(candidate, NOW)
    first = _night(model, ledger, old, None, day=20)
    _judge(model, ledger, first)
    second = _night(model, ledger, new, first, day=21)
    _judge(model, ledger, second)
    _night(model, ledger, new, None, day=22)  # left open, as by a process that died
    with suppress(ImportError):
        _watch(file)
    if hasattr(ledger, "record_release"):
        image, manifest = (model.Digest("sha256:" + letter * 64) for letter in "ef")
        words = ("key", model.Verdict.PASS, "all pass", "Ann <ann@example.invalid>", NOW, "releases/0.1.0", "")
        ledger.record_release(model.Release("0.1.0", old, image, manifest, *words))
        ledger.record_push("0.1.0", "registry.invalid/lens")


def _night(model, ledger, candidate, baseline, day: int):
    digests = [model.Digest("sha256:" + letter * 64) for letter in "cd"]
    values = {
        "night_id": "",
        "night_date": date(2026, 11, day),
        "attempt": 0,
        "candidate": candidate,
        "policy_digest": digests[0],
        "dataset_digest": digests[1],
        "slices": (SLICE,),
        "seed": 7,
        "duration_minutes": 1.5,
        "folder": "",
        "state": model.NightState.OPEN,
        "verdict": None,
        "reason": "",
        "opened_at": NOW.replace(day=day),
        "closed_at": None,
    }
    if "baseline" in {one.name for one in fields(model.Night)}:
        values["baseline"] = baseline.candidate if baseline else None
    else:
        values["baseline_night"] = baseline.night_id if baseline else ""
    return ledger.open_night(model.Night(**values))


def _judge(model, ledger, night) -> None:
    interval = ()
    if hasattr(model, "Interval"):
        interval = (model.Interval(1.2, 1.8, 0.95, 0.9, 20, 1.5),)
    metrics = (model.Metric("p99_ms", 1.5, 10, *interval), model.Metric("tail_ratio", None, 0))
    measured = model.Measurement(SLICE, "thing 1.0", metrics, "samples")
    answer = model.Answer("tail_ratio", SLICE, model.Verdict.PASS, "1.5 ≤ 2", 1.5, 2.0, 10, "samples", "≤", *interval)
    ledger.record_slice(night.night_id, measured, [answer])
    ledger.record_report(night.night_id)
    report = model.Answer("report", "", model.Verdict.PASS, "drawn")
    evidence = model.Evidence("nights/a.txt", model.Digest("sha256:" + "b" * 64), 12)
    closed = night.opened_at.replace(hour=4)
    ledger.close_night(night.night_id, model.Verdict.PASS, "all pass", [report], [evidence], closed)


def _watch(file: Path) -> None:
    """One alert that escalated and was acknowledged, one that is over; a message of each, one delivered."""
    ledger = import_module("lens_core.adapters.alert_ledger").SqlAlertLedger(file)
    alerts, ports = import_module("lens_core.alerts"), import_module("lens_core.monitor_ports")
    kind = next(iter(import_module("lens_core.findings").AlertKind))
    state = alerts.AlertState

    def change(name: str, to, number: int, event: str):
        when = NOW.replace(minute=30 + number)
        alert = alerts.Alert(name, kind, name, to, alerts.Severity.ERROR, NOW, when, number, "P99/P95 2.4", 2.4)
        return alerts.Watch(kind, name, 3, 0, armed=True, episodes=1, alert=alert if alert.is_open else None), (
            alerts.Change(alert, event, None, spoken=True)
        )

    steps = [
        change("one", state.OPEN, 1, "open"),
        change("one", state.ACKNOWLEDGED, 2, "acknowledge"),
        change("two", state.OPEN, 1, "open"),
        change("two", state.RESOLVED, 2, "clear"),
    ]
    for serial, (watch, changed) in enumerate(steps, start=1):
        checkpoint = ports.Checkpoint(serial, 30, {}, {"log": 12.5}, 60, {"log": {"lines": serial}})
        panes = ports.PaneChanges({("slice", "one", serial): bytes([serial])}, None)
        ledger.advance(lambda _seen, w=watch, c=changed: ([w], [c]), NOW, ("a", "b"), checkpoint, panes)
    ledger.begin_delivery("one.1", "a", NOW)
    ledger.end_delivery("one.1", "a", NOW)


def _dump(name: str, commit: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["git", "archive", commit, "lens_core"], capture_output=True, check=True, cwd=HERE.parents[1]
        )
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
            tar.extractall(folder, filter="data")
        file = Path(folder, "lens.db")
        where = {**os.environ, "PYTHONPATH": folder}
        subprocess.run([sys.executable, __file__, str(file)], check=True, env=where, cwd=folder)
        with closing(sqlite3.connect(file)) as connection:
            [version] = connection.execute("PRAGMA user_version").fetchone()
            lines = [f"-- Written by the code of commit {commit}.", f"PRAGMA user_version = {version};"]
            text = "\n".join([*lines, *connection.iterdump()]) + "\n"
        HERE.joinpath(f"schema-{name}.sql").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fill(Path(sys.argv[1]))
    else:
        for dump, made_by in MADE_BY.items():
            _dump(dump, made_by)
