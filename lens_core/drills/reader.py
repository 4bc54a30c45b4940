"""Reads sealed drills: verifies them offline, judges them again from their observations, finds a version's latest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lens_core.drills.drill import Judge, judge
from lens_core.drills.record import OBSERVATIONS, RECORD, DrillRecord, evidence_of, read_record, sealed_version
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.supply import sealed
from lens_core.supply.manifest import MANIFEST, Manifest
from lens_core.supply.source import digest_of
from lens_core.supply.tree import Tree
from lens_core.supply.tree import evidence_of as files_of
from lens_core.supply.words import Fault

Opener = Callable[[Path], Tree]
Trust = Callable[[], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class DrillVerification:
    """What verifying a drill found. It stands when there is no fault; then ``record`` is what it says."""

    folder: str
    files: int
    answers: int
    faults: tuple[Fault, ...]
    record: DrillRecord | None

    @property
    def stands(self) -> bool:
        """True when every byte is as it was signed, and every answer is what the observations give."""
        return self.record is not None and not self.faults


class Drills:
    """The drills below ``folder`` (``<version>/<n>``), held against the keys that ``trust`` gives."""

    def __init__(self, folder: Path, opener: Opener, trust: Trust, judges: Mapping[str, Judge]) -> None:
        self._folder = folder
        self._open = opener
        self._trust = trust
        self._judges = judges

    def trusted(self) -> Mapping[str, bytes]:
        """See ``DrillStore``."""
        return self._trust()

    def next_place(self, version: str) -> Path:
        """See ``DrillStore``."""
        return self._folder / version / str(max(self._numbers(version), default=0) + 1)

    def seal(self, place: Path) -> str:
        """The digest of a drill's manifest, which lists every byte of it."""
        return digest_of(self._open(place).read(MANIFEST))

    def faults(self, folder: Path, keys: Mapping[str, bytes] | None = None) -> tuple[Fault, ...]:
        """See ``DrillStore``: every byte of a drill that stands nowhere yet."""
        return sealed.verify(self._open(folder), self._trust() if keys is None else keys).faults

    def versions(self) -> tuple[str, ...]:
        """Versions that were drilled, the latest drilled last."""
        drilled = [place.name for place in self._folder.glob("*") if self._numbers(place.name)]
        return tuple(sorted(drilled, key=lambda version: (self.read(version).drilled_at, version)))

    def places(self, version: str) -> tuple[Path, ...]:
        """The folders of a version's drills, oldest first; none when it was not drilled."""
        return tuple(self._folder / version / str(number) for number in sorted(self._numbers(version)))

    def place(self, version: str = "") -> Path:
        """The folder of a version's latest drill, of the latest drill of all without one; InvalidInput without any."""
        version = version.removeprefix("v")
        if not version:
            drilled = self.versions()
            version = drilled[-1] if drilled else ""
        places = self.places(version) if version else ()
        if not places:
            what = f"a drill of {version}" if version else "a drill"
            raise InvalidInput(f"expected {what}, saw none", "`lens compat-drill` makes one")
        return places[-1]

    def read(self, version: str = "") -> DrillRecord:
        """What a version's latest drill says, as it lies there; ``verify`` says whether that is to be believed."""
        return read_record(self._open(self.place(version)).read(RECORD))

    def verify(self, place: Path, keys: Mapping[str, bytes] | None = None) -> DrillVerification:
        """Recompute a drill offline: every byte, the signature, every answer. Faults are values.

        ``keys`` (raw public keys by id) take the place of the trusted ones.
        """
        tree, known = self._open(place), dict(self._trust() if keys is None else keys)
        own = place.parent.parent == self._folder
        named = sealed_version(place.parent.name, place.name) if own else ""
        opened = sealed.verify(tree, known, version=named)
        if not opened.stands or opened.manifest is None:
            return DrillVerification(str(place), len(tree.files()), 0, opened.faults, None)
        files = files_of(tree)
        try:
            record = read_record(files.get(RECORD, b""))
        except IntegrityError as error:
            fault = Fault(RECORD, "the record of a drill", error.message)
            return DrillVerification(str(place), len(files), 0, (fault,), None)
        faults = (*_misnamed(record, opened.manifest), *self._differing(record, files))
        return DrillVerification(str(place), len(files), len(record.answers), tuple(sorted(faults)), record)

    def verify_version(
        self, version: str, wheel_sha256: str, keys: Mapping[str, bytes] | None = None
    ) -> tuple[DrillVerification, ...]:
        """Every drill of a version, oldest first; one of another wheel than ``wheel_sha256`` (hex) is at fault."""
        found = []
        for place in self.places(version):
            one = self.verify(place, keys)
            if one.record is not None and one.record.candidate.wheel_sha256 != wheel_sha256:
                fault = Fault(
                    f"drill {place.name}: {RECORD}", f"a drill of wheel {wheel_sha256}",
                    one.record.candidate.wheel_sha256,
                )  # fmt: skip
                one = DrillVerification(one.folder, one.files, one.answers, (*one.faults, fault), one.record)
            found.append(one)
        return tuple(found)

    def _differing(self, record: DrillRecord, files: dict[str, bytes]) -> list[Fault]:
        """Answers that are not what the observations give, and observations that nobody asked for."""
        evidence = evidence_of(files, record.previous, record.rules)
        answers, ways = judge(evidence, record.previous, record.candidate, record.rules, self._judges)
        said, again = {(a.version, a.cell): a for a in record.answers}, {(a.version, a.cell): a for a in answers}
        faults = [
            Fault(RECORD, f"{version} {cell}: {_words(again.get((version, cell)))}", _words(said.get((version, cell))))
            for version, cell in sorted(said.keys() | again.keys())
            if said.get((version, cell)) != again.get((version, cell))
        ]
        if len(record.answers) != len(said):
            faults.append(Fault(RECORD, "one answer for each cell", f"{len(record.answers)} for {len(said)} cells"))
        if ways != record.ways_back:
            faults.append(Fault(RECORD, f"ways back {ways}", str(record.ways_back)))
        judged = sum(name.startswith(OBSERVATIONS) for name in files)
        if judged != len(evidence):
            faults.append(Fault(OBSERVATIONS, f"{len(evidence)} observations that are judged", f"{judged} files"))
        return faults

    def _numbers(self, version: str) -> list[int]:
        return [int(place.name) for place in (self._folder / version).glob("*") if place.name.isdigit()]


def _misnamed(record: DrillRecord, manifest: Manifest) -> list[Fault]:
    """The manifest must be of the candidate that the record is of."""
    faults = []
    if manifest.version.rpartition("+drill.")[0] != record.candidate.version:
        faults.append(Fault(RECORD, f"a drill of {manifest.version}", record.candidate.version))
    if manifest.commit != record.commit:
        faults.append(Fault(RECORD, f"commit {manifest.commit}", record.commit))
    return faults


def _words(answer: object) -> str:
    return str(answer) if answer is not None else "no answer"
