"""Verifies a night months later: every byte against its digest, every verdict from the raw samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lens_core.errors import IntegrityError, LensError
from lens_core.gates import Policy, Subject, judge, verdict_of
from lens_core.measure import measure, timing_of
from lens_core.model import Answer, Measurement, Night, NightState, Slice
from lens_core.ports import EvidenceStore, Ledger
from lens_core.rounds import set_aside


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a night found: nothing in ``problems`` means that the night stands."""

    night_id: str
    files_checked: int
    slices_recomputed: int
    problems: tuple[str, ...]


class SliceRecords:
    """Reads what a slice left behind, and judges it again."""

    def __init__(self, store: EvidenceStore, home: Path) -> None:
        self._store = store
        self._home = home

    def folder(self, night: Night, slice_name: str) -> Path:
        """Where the slice's files of a night lie."""
        return self._home / night.folder / Slice.parse(slice_name).slug

    def measured(self, night: Night, slice_name: str, policy: Policy) -> Measurement:
        """The measurement, recomputed from the stored samples; IntegrityError when they are gone."""
        folder = self.folder(night, slice_name)
        run = self._store.read_run(folder)
        if (run.baseline is None) is not (night.baseline is None):
            raise IntegrityError(
                f"night {night.night_id} is bound to {'a' if night.baseline else 'no'} baseline, "
                f"the run of {slice_name} asked {'one' if run.baseline is not None else 'none'}",
                "the files of this slice are of another night",
            )
        return measure(slice_name, run, policy.latency, str(self._store.samples_digest(folder)))

    def set_aside(self, night: Night, slice_name: str, policy: Policy) -> dict[int, str]:
        """The rounds of a slice that do not count, and why; IntegrityError when its evidence is gone."""
        rounds, control = self._store.read_control(self.folder(night, slice_name))
        return set_aside(rounds, timing_of(control), policy.latency)

    def answers(self, night: Night, measurement: Measurement, policy: Policy) -> tuple[Answer, ...]:
        """What the gates say of a measured slice."""
        return judge(measurement, policy, Subject(night.candidate.version, night.baseline is not None))


def verify(night: Night, policy: Policy, store: EvidenceStore, ledger: Ledger, home: Path) -> Verification:
    """Check the night's files against their digests, and its verdict against its raw samples.

    ``policy`` is the one that the night recorded. Problems name the file or the gate.
    """
    evidence = ledger.evidence(night.night_id)
    problems = []
    if night.state is not NightState.CLOSED:
        problems.append(f"night {night.night_id} is not closed: it has no verdict")
    elif not evidence:
        problems.append(f"night {night.night_id} kept no evidence: {night.reason}")
    for item in evidence:
        try:
            seen = store.digest(home / item.path)
        except IntegrityError as error:
            problems.append(f"{item.path}: {error.message}")
            continue
        if seen != item.digest:
            problems.append(f"{item.path}: expected {item.digest}, saw {seen}")
    records = SliceRecords(store, home)
    measurements = ledger.measurements(night.night_id)
    answers = ledger.answers(night.night_id)
    for stored in measurements:
        problems += _recompute(night, stored, policy, records, answers)
    if night.verdict is not None and evidence and verdict_of(answers) is not night.verdict:
        problems.append(f"the verdict is recorded as {night.verdict.name}, its answers give {verdict_of(answers).name}")
    return Verification(night.night_id, len(evidence), len(measurements), tuple(problems))


def _recompute(
    night: Night, stored: Measurement, policy: Policy, records: SliceRecords, answers: Sequence[Answer]
) -> list[str]:
    try:
        again = records.measured(night, stored.slice, policy)
    except (LensError, ValueError) as error:  # a sample that no clock can give is a ValueError of the pure core
        return [f"{stored.slice} cannot be recomputed: {error}"]
    problems = [
        f"{stored.slice} {metric.name}: recorded {metric.value}, the samples give {again.get(metric.name).value}"
        for metric in stored.metrics
        if not _same(metric.value, again.get(metric.name).value)
    ]
    recorded = {answer.gate: answer for answer in answers if answer.slice == stored.slice}
    for answer in records.answers(night, again, policy):
        kept = recorded.get(answer.gate)
        if kept is None or kept.verdict is not answer.verdict:
            seen = kept.verdict.name if kept else "no answer"
            problems.append(f"{stored.slice} {answer.gate}: recorded {seen}, judging again gives {answer.verdict.name}")
    return problems


def _same(recorded: float | None, recomputed: float | None) -> bool:
    if recorded is None or recomputed is None:
        return recorded is recomputed
    # Bit for bit on one machine; the last bits of a sum may differ between numpy builds.
    return math.isclose(recorded, recomputed, rel_tol=1e-12, abs_tol=1e-15)
