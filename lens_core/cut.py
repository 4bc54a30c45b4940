"""Cuts a release candidate: from a clean commit to a sealed folder, recorded in the ledger and pushed.

Steps make files, two at a time; a journal remembers what is done, so that a cut goes on where it was killed.
What the files say is judged from their bytes (``supply.candidate``), sealed under one signature, moved into
place at once, and only then recorded and pushed: whatever stands among the releases is whole.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from lens_core.cut_ports import (
    Commit,
    CutJob,
    CutListener,
    CutStore,
    Registry,
    ReleaseLedger,
    Source,
    Step,
    Stopwatch,
    Workspace,
)
from lens_core.errors import Conflict, IntegrityError, InvalidInput, Refused
from lens_core.model import Release
from lens_core.ports import Clock, Lease
from lens_core.sealing import expect_trusted, seal
from lens_core.supply import envelope, statement
from lens_core.supply.candidate import GATES, POLICY, CutRules, Judgement, image_of, judge, materials_of
from lens_core.supply.release_version import ReleaseVersion, parse_version
from lens_core.supply.sealed import subjects_of
from lens_core.supply.signatures import key_id
from lens_core.supply.statement import PROVENANCE, Provenance
from lens_core.supply.words import Signer

PARTS = ("container", "sbom", "sast", "scan", "provenance")
"""What may be left out of a cut; the gates of a part that was left out stay unanswered."""

VERIFIER = "verify.sh"
"""The independent verifier: it lies in every cut."""

_AT_ONCE = 2
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class CutRequest:
    """What is to be cut: a version, the commit that ``ref`` names (HEAD when empty), and the parts left out."""

    version: str
    ref: str = ""
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CutWorld:
    """The parts of the world that cutting uses. ``registry`` is None when candidates are pushed nowhere."""

    ledger: ReleaseLedger
    clock: Clock
    stopwatch: Stopwatch
    lease: Lease
    source: Source
    steps: Sequence[Step]
    workspace: Callable[[str, str], Workspace]
    store: CutStore
    signer: Callable[[], Signer]
    registry: Registry | None
    rules: CutRules
    policy_record: bytes
    builder_id: str
    verifier: bytes
    person: Callable[[], str]


class CutRun:
    """One use of ``lens cut-rc``."""

    def __init__(self, world: CutWorld, request: CutRequest, listener: CutListener) -> None:
        self._world = world
        self._request = request
        self._listener = listener
        self._version: ReleaseVersion = parse_version(request.version)
        self._steps = [step for step in world.steps if step.name not in request.left_out]
        if "sbom" in request.left_out and "scan" not in request.left_out:
            raise InvalidInput(
                "expected an SBOM to scan, saw --no-sbom", "the scan asks about what the SBOM lists: add --no-scan"
            )

    def run(self) -> Release:
        """Cut, or go on with, or confirm the version.

        Refused when the tree is dirty, Conflict when the version was cut from something else, Unavailable when
        an engine, a registry or a tool does not answer: before anything is begun, where that can be known.
        """
        world = self._world
        signer = expect_trusted(world.signer(), world.store.trusted())
        commit = self._commit()
        for step in self._steps:
            step.ready()
        if (registry := self._registry()) is not None:
            registry.ready()
        with world.lease.hold():
            known = world.store.release(self._version.text)
            if known is None:
                known = self._cut(commit, signer)
            else:
                self._confirm(known, commit)
            world.store.keep_wheel(known.version)
            world.ledger.record_release(known)
            return self._push()

    def _registry(self) -> Registry | None:
        return None if "container" in self._request.left_out else self._world.registry

    def _commit(self) -> Commit:
        """The commit that is cut. Without ``--ref`` people take what lies in the folder for it: so it must be it."""
        source, ref = self._world.source, self._request.ref
        changes = () if ref else source.changes()
        if changes:
            more = [f"and {len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else []
            raise Refused(
                f"expected a clean working tree, saw {len(changes)} changed or unknown files",
                "commit or remove them, or name the commit that is meant with --ref",
                blockers=[*changes[:_SHOWN], *more],
            )
        return source.commit(ref or "HEAD")

    # --- cutting --------------------------------------------------------------------------------

    def _cut(self, commit: Commit, signer: Signer) -> Release:
        world = self._world
        subject = f"{self._version.text} of {commit.commit}, without {sorted(self._request.left_out)}"
        workspace = world.workspace(self._version.text, subject)
        began = world.clock.now()
        self._make(workspace, commit, self._steps)
        with self._timed("seal") as say:
            key = {key_id(signer.public_key): signer.public_key}
            self._judge(workspace, commit, signer, began)
            count = seal(workspace, signer, version=self._version.text, commit=commit.commit)
            faults = world.store.faults(workspace.folder, key)
            if faults:
                raise IntegrityError(f"the cut does not verify: {faults[0]}", "nothing was released: run the cut again")
            workspace.publish(world.store.folder(self._version.text))
            say(f"{count} files under one signature of {next(iter(key))[:20]}…")
        found = world.store.release(self._version.text)
        if found is None:
            raise IntegrityError(f"{self._version.text} was sealed, and somebody removed it", "run the cut again")
        return found

    def _judge(self, workspace: Workspace, commit: Commit, signer: Signer, began: datetime) -> None:
        """Write where everything comes from, and what is said of it."""
        world, left_out = self._world, self._request.left_out
        sealed = {POLICY: world.policy_record, VERIFIER: world.verifier}
        workspace.write(sealed)
        workspace.done("policy", "", tuple(sealed))
        now = world.clock.now()
        if "provenance" not in left_out:
            evidence = workspace.evidence()
            subjects = subjects_of(workspace.finish(), image_of(evidence).removeprefix("sha256:"))
            provenance = Provenance(
                subjects=subjects,
                external={"version": self._version.text, "commit": commit.commit, "left_out": tuple(sorted(left_out))},
                internal={"distribution_version": self._version.pep440, "source_date_epoch": commit.epoch},
                materials=materials_of(evidence, commit.commit),
                builder=world.builder_id,
                invocation=f"{self._version.text} {commit.commit[:12]} {now:%Y%m%dT%H%M%SZ}",
                started=min(began, now),
                finished=now,
            )
            workspace.write({PROVENANCE: envelope.sign(statement.encode(provenance), signer)})
            workspace.done("provenance", "", (PROVENANCE,))
        keys = {key_id(signer.public_key): signer.public_key}
        answers = judge(workspace.evidence(), world.rules, left_out, now, keys)
        workspace.write({GATES: Judgement(now, world.person(), tuple(sorted(left_out)), answers).encode()})
        workspace.done("judged", "", (GATES,))

    def _make(self, workspace: Workspace, commit: Commit, steps: Sequence[Step]) -> None:
        """Do all steps, each as soon as what it needs is there. After a failure nothing new begins."""
        job = CutJob(self._version, commit, workspace.source, workspace.folder)
        workspace.lay_out(self._world.source.archive(commit))
        waiting, finished, abandoned = list(steps), set[str](), Event()
        names = {step.name for step in steps}
        running: dict[Future[None], Step] = {}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="cut") as pool:
            try:
                while waiting or running:
                    for step in [s for s in waiting if set(s.needs) & names <= finished]:
                        waiting.remove(step)
                        running[pool.submit(self._do, step, job, workspace, abandoned)] = step
                    for done in wait(running, return_when=FIRST_COMPLETED).done:
                        done.result()
                        finished.add(running.pop(done).name)
            except BaseException:
                abandoned.set()
                raise

    def _do(self, step: Step, job: CutJob, workspace: Workspace, abandoned: Event) -> None:
        if abandoned.is_set():
            return
        with self._timed(step.name) as say:
            if workspace.kept(step.name, step.basis):
                say("kept from before")
                return
            made = step.make(job, lambda line: self._listener.at(step.name, line))
            workspace.done(step.name, step.basis, made.names)
            say(made.said)

    # --- a version that was cut already ---------------------------------------------------------

    def _confirm(self, known: Release, commit: Commit) -> None:
        """Cutting again is asking whether the same bytes come out; Conflict when they cannot or do not."""
        world, version = self._world, self._version.text
        if known.candidate.commit != commit.commit:
            raise Conflict(
                f"{version} was cut from commit {known.candidate.commit[:12]}, asked for is {commit.commit[:12]}",
                "a version is cut once: name the next one",
            )
        faults = world.store.faults(world.store.folder(version))
        if faults:
            raise IntegrityError(
                f"{version} is there and does not verify: {faults[0]}", f"`lens verify {version}` names every fault"
            )
        workspace = world.workspace(f"{version}-again", f"{version} of {commit.commit} again")
        again = [step for step in self._steps if step.reproducible]
        self._make(workspace, commit, again)
        before = {entry.name: entry for entry in world.store.entries(version)}
        differing = [entry.name for entry in workspace.finish() if before.get(entry.name) != entry]
        workspace.discard()
        if differing:
            raise Conflict(
                f"{version} was cut from other bytes: {len(differing)} files differ",
                "a version is cut once: name the next one",
                blockers=differing[:_SHOWN],
            )

    def _push(self) -> Release:
        """Push what was not pushed yet, if its image answered well; the release as it is remembered then."""
        world, registry = self._world, self._registry()
        release = self._remembered()
        if registry is None or release.image is None or release.pushed_to:
            return release
        if not world.store.may_push(release.version):
            self._listener.done("push", "not pushed: the image did not pass its smoke run", 0.0)
            return release
        with self._timed("push") as say:
            place = registry.push(
                world.store.folder(release.version), release.version, lambda line: self._listener.at("push", line)
            )
            world.ledger.record_push(release.version, place)
            say(place)
        return self._remembered()

    def _remembered(self) -> Release:
        return next(r for r in self._world.ledger.releases() if r.version == self._version.text)

    @contextmanager
    def _timed(self, step: str) -> Iterator[Callable[[str], None]]:
        said: list[str] = []
        before = self._world.stopwatch()
        yield said.append
        self._listener.done(step, "; ".join(said), self._world.stopwatch() - before)
