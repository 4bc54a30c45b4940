"""Candidates as tables and words: the list of them, what was found in one, its drills, its digests."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from lens_core.candidates import SEVERITIES, Cut, Known, Searched
from lens_core.drills.reader import DrillVerification
from lens_core.model import Answer, Release
from lens_core.views import NO_VALUE, term_of

STANDS, FALLEN, UNSEEN = "✓ as signed", "✕ does not verify", "… choose it to verify"
NOT_BELIEVED = "not believed"
NO_IMAGE = "none: cut without a container"
_COMMIT = 12


def list_frame(known: Sequence[Known], cuts: Mapping[str, Cut]) -> pd.DataFrame:
    """A row per version. A verdict stands there only for what verified; ``cuts`` holds those that were looked at."""
    rows = []
    for one in known:
        cut = cuts.get(one.version)
        if cut is None:
            verdict, stands, release = NO_VALUE, UNSEEN, one.told
        elif cut.release is None:
            verdict, stands, release = NOT_BELIEVED, FALLEN, one.told
        else:
            verdict, stands, release = cut.release.verdict.name, STANDS, cut.release
        rows.append((one.version, verdict, stands, *_told(release, one.told)))
    columns = ["candidate", "verdict", "verified", "commit", "image", "cut (UTC)", "cut by", "pushed"]
    return pd.DataFrame(rows, columns=columns)


def _told(release: Release | None, told: Release | None) -> tuple[str, ...]:
    if release is None:
        return (NO_VALUE,) * 5
    image = release.image.short if release.image else "none"
    pushed = "not known" if told is None else "yes" if told.pushed_to else "no"
    moment = f"{release.cut_at:%Y-%m-%d %H:%M}"
    return release.candidate.commit[:_COMMIT], image, moment, release.cut_by or "nobody named", pushed


def digest_lines(release: Release) -> str:
    """The digests in full, a line each, to be copied."""
    lines = {
        "commit": release.candidate.commit,
        "wheel": str(release.candidate.digest),
        "image": str(release.image or NO_IMAGE),
        "manifest": str(release.manifest),
        "signed by": release.key_id,
    }
    return "\n".join(f"{name:11}{value}" for name, value in lines.items())


def worst_first(answers: Iterable[Answer]) -> list[Answer]:
    """The answers by their verdicts, the worst first, else in the order given."""
    return sorted(answers, key=lambda answer: -answer.verdict.value)


def findings_frame(searched: Iterable[Searched]) -> pd.DataFrame:
    """A row per gate that looked for weaknesses: its verdict, and its findings by severity.

    No finding of a gate that could not judge is no 0: there is no value.
    """
    rows = [
        (
            term_of(one.gate).title,
            one.verdict.name,
            *((one.counts.get(name, 0) or (NO_VALUE if one.hollow else 0)) for name in SEVERITIES),
        )
        for one in searched
    ]
    return pd.DataFrame(rows, columns=["looked", "verdict", *SEVERITIES], dtype=object)


def packages_in_words(packages: Sequence[tuple[str, int]] | None) -> str:
    """How many packages there are of each ecosystem: ``305 packages: 241 cargo, 33 deb, 31 pypi``."""
    if packages is None:
        return "There is no list of its contents (SBOM): what is in it is not known."
    if not packages:
        return "The list of its contents (SBOM) names no package."
    parts = ", ".join(f"{count:,} {ecosystem}" for ecosystem, count in packages)
    return f"{sum(count for _, count in packages):,} packages: {parts}."


def drills_frame(drills: Iterable[DrillVerification]) -> pd.DataFrame:
    """A row per drill, newest first; one that does not verify has no verdict."""
    rows = []
    for one in reversed(list(drills)):
        number, record = one.folder.rpartition("/")[2], one.record
        if record is None or not one.stands:
            rows.append((number, NOT_BELIEVED, FALLEN, NO_VALUE, NO_VALUE, NO_VALUE))
            continue
        moment = f"{record.drilled_at:%Y-%m-%d %H:%M}"
        safe = record.rollback_safe.value
        rows.append((number, record.verdict.name, STANDS, moment, record.drilled_by or "nobody named", safe))
    columns = ["drill", "verdict", "verified", "drilled (UTC)", "drilled by", "rollback-safe"]
    return pd.DataFrame(rows, columns=columns)
