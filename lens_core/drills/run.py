"""Drills a candidate against previous versions: every cell about each of them, judged, sealed, kept.

Two versions at a time, the cells of one after another. What they saw is judged from its bytes, sealed under one
signature and moved into place at once: a drill that was broken off leaves nothing that looks like one.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from lens_core.cut_ports import Workspace
from lens_core.drills.asking import Asked, Asking, AskingWorld
from lens_core.drills.drill import Drilled, DrillRules, Judge, judge
from lens_core.drills.ports import DrillCandidate, DrillListener, DrillStore, Home
from lens_core.drills.record import RECORD, DrillRecord, evidence_of, observation_name, sealed_version
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.ports import Clock, Lease
from lens_core.sealing import expect_trusted, seal
from lens_core.supply.signatures import key_id
from lens_core.supply.words import Progress, Signer

_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class DrillWorld:
    """The parts of the world that drilling uses.

    ``candidate`` gives what is drilled (a release by its version, else what HEAD builds), ``home`` where it runs.
    """

    asking: AskingWorld
    candidate: Callable[[str], DrillCandidate]
    home: Callable[[DrillCandidate, Progress], Home]
    rules: DrillRules
    judges: Mapping[str, Judge]
    workspace: Callable[[str, str], Workspace]
    scratch: Callable[[], AbstractContextManager[Path]]
    store: DrillStore
    signer: Callable[[], Signer]
    clock: Clock
    lease: Lease
    person: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill that is over: its record, and the folder that it was sealed in."""

    record: DrillRecord
    folder: Path


class CompatDrill:
    """One use of ``lens compat-drill``: a candidate (``version``, else HEAD) against the versions ``previous``."""

    def __init__(self, world: DrillWorld, version: str, previous: Sequence[str], listener: DrillListener) -> None:
        self._world = world
        self._version = version
        self._previous = tuple(previous)
        self._listener = listener
        if not self._previous:
            raise InvalidInput("expected previous versions to drill against, saw none", "name some")

    def run(self) -> Drill:
        """Ask, judge, seal. A verdict that does not pass is no error: it is sealed all the same.

        InvalidInput for a key that nobody here trusts, or for a version that was not cut; Unavailable when the
        candidate cannot be built or run; Conflict when a drill goes on already.
        """
        world = self._world
        signer = expect_trusted(world.signer(), world.store.trusted())
        with world.lease.hold(), world.scratch() as scratch:
            self._listener.at("candidate", "making the candidate ready")
            candidate = world.candidate(self._version)
            home = world.home(candidate, lambda line: self._listener.at("candidate", line))
            asked = self._ask(Asking(world.asking, home, scratch, self._listener))
            return self._seal(candidate, home, asked, signer)

    def _ask(self, asking: Asking) -> list[Asked]:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="drill") as pool:
            try:
                asked = [pool.submit(asking.about, version) for version in self._previous]
                for over in wait(asked, return_when=FIRST_EXCEPTION).done:
                    over.result()  # the one that failed, before those that still run are waited for
                return [one.result() for one in asked]
            except BaseException:
                asking.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _seal(self, candidate: DrillCandidate, home: Home, asked: Sequence[Asked], signer: Signer) -> Drill:
        world = self._world
        files = {
            observation_name(one.version, one.cell): one.encode() for version in asked for one in version.observations
        }
        record = self._judge(candidate, home, [one.previous for one in asked], files)
        workspace = world.workspace(candidate.version, f"a drill of {candidate.wheel_sha256} at {record.drilled_at}")
        written = {**files, RECORD: record.encode()}
        workspace.write(written)
        workspace.done("drilled", "", tuple(written))
        key, folder = key_id(signer.public_key), world.store.next_place(candidate.version)
        named = sealed_version(candidate.version, folder.name)
        seal(workspace, signer, version=named, commit=candidate.commit)
        faults = world.store.faults(workspace.folder, {key: signer.public_key})
        if faults:
            raise IntegrityError(f"the drill does not verify: {faults[0]}", "nothing was kept: drill again")
        workspace.publish(folder)
        return Drill(record, folder)

    def _judge(
        self, candidate: DrillCandidate, home: Home, previous: Sequence[Drilled], files: dict[str, bytes]
    ) -> DrillRecord:
        world, drilled = self._world, Drilled(candidate.version, home.tantivy, candidate.wheel_sha256)
        evidence = evidence_of(files, previous, world.rules)
        answers, ways_back = judge(evidence, previous, drilled, world.rules, world.judges)
        return DrillRecord(
            drilled_at=world.clock.now().replace(microsecond=0),
            drilled_by=world.person(),
            candidate=drilled,
            commit=candidate.commit,
            dirty=candidate.dirty,
            previous=tuple(previous),
            rules=world.rules,
            answers=answers,
            ways_back=ways_back,
        )
