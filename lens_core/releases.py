"""Reads cuts: verifies them offline, shows what is in them, and tells two of them apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.gates import reason_for, verdict_of
from lens_core.model import Answer, Candidate, Digest, Release
from lens_core.supply import image_layout, sealed
from lens_core.supply.candidate import (
    BUILDS,
    GATES,
    POLICY,
    SBOM,
    CutRules,
    Judgement,
    built_of,
    findings_of,
    judge,
    read_judgement,
    read_rules,
)
from lens_core.supply.manifest import MANIFEST, Manifest, decode
from lens_core.supply.release_diff import Contents, ReleaseDiff, diff
from lens_core.supply.release_version import parse_version
from lens_core.supply.sbom_answers import components
from lens_core.supply.source import digest_of
from lens_core.supply.tree import Tree, evidence_of
from lens_core.supply.words import Fault

Opener = Callable[[Path], Tree]
Trust = Callable[[], Mapping[str, bytes]]

_NEEDED = (BUILDS, GATES, POLICY)


@dataclass(frozen=True, slots=True)
class ReleaseVerification:
    """What verifying a cut found. It stands when there is no fault; then ``release`` is what it holds.

    ``answers`` counts the gates that were judged again from the evidence.
    """

    folder: str
    files: int
    size_bytes: int
    answers: int
    faults: tuple[Fault, ...]
    release: Release | None

    @property
    def stands(self) -> bool:
        """True when every byte is as it was signed, and every answer is what its evidence gives."""
        return self.release is not None and not self.faults


class Releases:
    """The cuts below ``folder``, opened by ``opener`` and held against the keys that ``trust`` gives."""

    def __init__(self, folder: Path, opener: Opener, trust: Trust) -> None:
        self._folder = folder
        self._open = opener
        self._trust = trust

    def trusted(self) -> Mapping[str, bytes]:
        """The public keys (raw, by id) that are believed."""
        return self._trust()

    def place(self, ref: str) -> Path:
        """The folder of a version, or the folder itself; InvalidInput when there is none."""
        named = Path(ref)
        if "/" in ref or named.is_dir():
            if not named.is_dir():
                raise InvalidInput(
                    f"expected a version or the folder of a cut, saw {ref}", "`lens releases` lists them"
                )
            return named
        place = self._folder / parse_version(ref).text
        if not place.is_dir():
            raise InvalidInput(f"there is no release {ref}", "`lens releases` lists them, `lens cut-rc` makes one")
        return place

    def versions(self) -> tuple[str, ...]:
        """Versions whose folders are there, newest cut first by name."""
        return tuple(sorted((p.name for p in self._folder.glob("[0-9]*") if p.is_dir()), reverse=True))

    def verify(self, ref: str, keys: Mapping[str, bytes] | None = None) -> ReleaseVerification:
        """Recompute a cut offline: every byte, every signature, every answer. Faults are values.

        ``keys`` (raw public keys by id) take the place of the trusted ones.
        """
        place = self.place(ref)
        tree, known = self._open(place), dict(self.trusted() if keys is None else keys)
        version = place.name if place.parent == self._folder else ""
        opened = sealed.verify(tree, known, version=version)
        files = tree.files()
        size = sum(found.size for found in files.values())
        if not opened.stands or opened.manifest is None:
            return ReleaseVerification(str(place), len(files), size, 0, opened.faults, None)
        evidence = evidence_of(tree)
        absent = [Fault(name, "a file of every cut", "no such file") for name in _NEEDED if name not in evidence]
        if absent:
            return ReleaseVerification(str(place), len(files), size, 0, tuple(absent), None)
        said = read_judgement(evidence[GATES])
        faults = (*_unlike_builds(opened.manifest, evidence), *_differing(said, evidence, known))
        release = _release(opened.manifest, evidence, said, place)
        return ReleaseVerification(str(place), len(files), size, len(said.answers), faults, release)

    def release(self, version: str) -> Release | None:
        """What a version's cut holds; None when it was not cut. IntegrityError for one that was not sealed."""
        place = self._folder / version
        if not place.is_dir():
            return None
        evidence = evidence_of(self._open(place))
        for name in (MANIFEST, GATES):
            if name not in evidence:
                raise IntegrityError(f"{place} holds no {name}: it is no cut", "move it away")
        return _release(decode(evidence[MANIFEST]), evidence, read_judgement(evidence[GATES]), place)

    def judged(self, ref: str, rules: CutRules) -> tuple[ReleaseVerification, tuple[Answer, ...]]:
        """``verify``, and what the gates say of the same evidence by ``rules``: their ages as of when it was cut.

        No answers for a cut that does not stand.
        """
        found = self.verify(ref)
        if not found.stands or found.release is None:
            return found, ()
        evidence, release = evidence_of(self._open(self.place(ref))), found.release
        left_out = read_judgement(evidence[GATES]).left_out
        return found, judge(evidence, rules, left_out, release.cut_at, self.trusted())

    def read(self, ref: str, name: str) -> bytes:
        """One file of a cut, as it lies there; IntegrityError without it."""
        evidence = evidence_of(self._open(self.place(ref)))
        if name not in evidence:
            raise IntegrityError(f"the cut of {ref} holds no {name}", "cut the next version with all parts")
        return evidence[name]

    def answers(self, ref: str) -> tuple[Answer, ...]:
        """What the gates said when it was cut."""
        return read_judgement(self._open(self.place(ref)).read(GATES)).answers

    def manifest(self, ref: str) -> Manifest:
        """The list of a cut's files."""
        return decode(self._open(self.place(ref)).read(MANIFEST))

    def diff(self, before: str, after: str) -> ReleaseDiff:
        """What differs between two cuts."""
        return diff(self.contents(before), self.contents(after))

    def contents(self, ref: str) -> Contents:
        """What a cut holds, as it lies there: files, packages, findings. IntegrityError when a list is none."""
        evidence = evidence_of(self._open(self.place(ref)))
        manifest = decode(evidence[MANIFEST])
        listed = components(evidence[SBOM]) if SBOM in evidence else ()
        return Contents(manifest.version, manifest.entries, listed, findings_of(evidence))


def _unlike_builds(manifest: Manifest, evidence: Mapping[str, bytes]) -> list[Fault]:
    """Where wheel and sdist are not those that were built twice, of the manifest's commit."""
    commit, built = built_of(evidence)
    entries = {entry.name: entry.sha256 for entry in manifest.entries}
    faults = [
        Fault(f"dist/{name}", f"sha256 {digest}, which was built twice", entries.get(f"dist/{name}", "no such file"))
        for name, digest in built.items()
        if entries.get(f"dist/{name}") != digest
    ]
    if commit != manifest.commit:
        faults.append(Fault(BUILDS, f"builds of commit {manifest.commit}", commit))
    return faults


def _differing(said: Judgement, evidence: Mapping[str, bytes], keys: Mapping[str, bytes]) -> list[Fault]:
    """Answers that are not what the evidence gives."""
    again = judge(evidence, read_rules(evidence[POLICY]), said.left_out, said.cut_at, keys)
    recorded = {answer.gate: answer for answer in said.answers}
    recomputed = {answer.gate: answer for answer in again}
    return [
        Fault(GATES, f"{gate}: {_words(recomputed.get(gate))}", _words(recorded.get(gate)))
        for gate in sorted(recorded.keys() | recomputed.keys())
        if recorded.get(gate) != recomputed.get(gate)
    ]


def _words(answer: Answer | None) -> str:
    return f"{answer.verdict.name}, {answer.reason}" if answer else "no answer"


def _release(manifest: Manifest, evidence: Mapping[str, bytes], said: Judgement, place: Path) -> Release:
    [wheel] = [entry for entry in manifest.entries if entry.name.startswith("dist/") and entry.name.endswith(".whl")]
    image = evidence.get(image_layout.INDEX)
    return Release(
        version=manifest.version,
        candidate=Candidate(manifest.version, Digest(f"sha256:{wheel.sha256}"), manifest.commit, dirty=False),
        image=Digest(image_layout.named_by(image)) if image is not None else None,
        manifest=Digest(digest_of(evidence[MANIFEST])),
        key_id=manifest.key,
        verdict=verdict_of(said.answers),
        reason=reason_for(said.answers),
        cut_by=said.cut_by,
        cut_at=said.cut_at,
        folder=f"releases/{place.name}",
    )
