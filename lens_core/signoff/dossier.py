"""What one would sign now: everything that is known of a candidate, by digest."""

from lens_core.signoff.words import Case, Dossier, Level, Risk, Streak
from lens_core.supply.candidate import GATES, SBOM
from lens_core.supply.statement import PROVENANCE

NEEDED = (SBOM, PROVENANCE, GATES)
"""Files of a cut that a statement names, so that a cut without them cannot be approved."""

_IN_WORDS = {
    "version": "the version",
    "candidate": "the candidate's digest",
    "image": "the image's digest",
    "manifest": "the cut's manifest",
    "sbom": "the SBOM",
    "provenance": "the provenance",
    "gates": "the gate report",
    "nights": "the nights of the streak",
    "drill": "the drill",
    "rollback_safe": "the way back",
    "risk": "the risk",
    "policies": "the policies",
    "waivers": "the waivers",
    "findings": "the known findings",
}


def dossier(case: Case, streak: Streak, risk: Risk) -> Dossier | None:
    """The dossier of the case; None while there is no cut, for then there is nothing to sign.

    The risk enters as levels: an input that moves within its level changes nothing that anybody decided on.
    """
    if case.cut is None:
        return None
    release, files = case.cut.release, case.cut.files
    records = {one.night.night_id: one.record for one in case.nights}
    factors = ", ".join(f"{factor.name} {factor.level.name.lower()}" for factor in risk.factors)
    return Dossier(
        version=case.version,
        candidate=str(release.candidate.digest),
        image=str(release.image or ""),
        manifest=str(release.manifest),
        sbom=files.get(SBOM, ""),
        provenance=files.get(PROVENANCE, ""),
        gates=files.get(GATES, ""),
        nights=tuple(f"{name} {records[name]}" for name in streak.nights),
        drill=case.drill.digest if case.drill else "",
        rollback_safe=_way_back(case),
        risk=f"{risk.level.name.lower()}: {factors}",
        policies=tuple(f"{name} {digest}" for name, digest in sorted(case.policies.items())),
        waivers=tuple(sorted(case.waivers)),
        findings=tuple(sorted(case.findings)),
    )


def difference(signed: Dossier, now: Dossier) -> str:
    """What changed since ``signed``, in words; empty when nothing did that whoever signed would want to hear of.

    Factors of the risk change by themselves as nights pass: only one that got worse counts, beside the risk's level.
    """
    changed = [name for name in signed.changes(now) if name != "risk" or _riskier(signed.risk, now.risk)]
    return "; ".join(_changed(name, getattr(signed, name), getattr(now, name)) for name in changed)


def _riskier(signed: str, now: str) -> bool:
    """Whether the level is another one, or a factor got worse than it was, or was not there."""
    (level, factors), (level_now, factors_now) = _levels(signed), _levels(now)
    return level != level_now or any(
        name not in factors or one.value > factors[name].value for name, one in factors_now.items()
    )


def _levels(risk: str) -> tuple[str, dict[str, Level]]:
    """What ``dossier`` wrote of a risk: its level, and that of each factor; one that is not understood is HIGH."""
    level, _, factors = risk.partition(": ")
    found = (one.rpartition(" ") for one in factors.split(", ") if one)
    known = {one.name.lower(): one for one in Level}
    return level, {name: known.get(word, Level.HIGH) for name, _, word in found}


def _changed(name: str, before: object, after: object) -> str:
    said = _IN_WORDS[name]
    if isinstance(before, tuple) and isinstance(after, tuple):
        gone = [f"without {_short(item)}" for item in before if item not in after]
        new = [f"with {_short(item)}" for item in after if item not in before]
        return f"{said} changed: {', '.join((*new, *gone)) or 'in their order'}"
    return f"{said} changed from {_short(str(before)) or 'none'} to {_short(str(after)) or 'none'}"


def _short(text: str) -> str:
    """Digests as people read them."""
    return " ".join(part[: len("sha256:") + 12] if part.startswith("sha256:") else part for part in text.split(" "))


def _way_back(case: Case) -> str:
    if case.drill is None:
        return ""
    by_copy = case.drill.rollback_safe != "yes" and case.drill.copy_first
    return f"{case.drill.rollback_safe}, by the copy" if by_copy else case.drill.rollback_safe
