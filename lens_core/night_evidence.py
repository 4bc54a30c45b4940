"""Whether a night is believed: its rows by the audit log, its files by their digests, its verdict by its answers."""

from collections.abc import Mapping
from pathlib import Path

from lens_core.audit_records import held_night, night_record
from lens_core.config import read_policy
from lens_core.errors import IntegrityError, InvalidInput
from lens_core.gates import Policy, verdict_of
from lens_core.model import Evidence, Night, NightState
from lens_core.ports import EvidenceStore, Ledger
from lens_core.signoff.words import NightCase
from lens_core.verification import verify

_SHOWN = 3


class NightEvidence:
    """The nights of a home folder, held against what the audit log says of them (``claimed``: thing → record).

    With ``recompute`` every verdict is judged again from the raw samples, which takes as long as reading them.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: EvidenceStore,
        home: Path,
        policy: Policy,
        claimed: Mapping[str, str],
        *,
        recompute: bool,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._home = home
        self._policy = policy
        self._claimed = claimed
        self._recompute = recompute

    def case(self, night: Night) -> NightCase:
        """The night as the sign-off sees it."""
        name, ledger = night.night_id, self._ledger
        answers, evidence = ledger.answers(name), ledger.evidence(name)
        record = night_record(night, answers, ledger.measurements(name), evidence)
        fault = self._fault(night, record, evidence)
        if not fault and night.verdict is not None and evidence and verdict_of(answers) is not night.verdict:
            fault = f"its answers give {verdict_of(answers).name}, it is recorded as {night.verdict.name}"
        if not fault and self._recompute and evidence:
            found = verify(night, self._policy_of(night), self._store, ledger, self._home).problems
            fault = "; ".join(found[:_SHOWN])
        return NightCase(night, answers, record, fault)

    def _fault(self, night: Night, record: str, evidence: tuple[Evidence, ...]) -> str:
        """Why its rows or its files are not believed; a night that still runs has neither yet."""
        if night.state is not NightState.CLOSED:
            return ""
        claimed = self._claimed.get(held_night(night.night_id))
        if claimed is None:
            return "the audit log has no entry of its end"
        if claimed != record:
            return f"the ledger holds {record}, its audit entry names {claimed}"
        if night.verdict is not None and night.verdict.advances and not evidence:
            return "it kept no evidence"
        odd = [why for item in evidence if (why := self._odd(item))]
        more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
        return "; ".join(odd[:_SHOWN]) + more

    def _odd(self, item: Evidence) -> str:
        try:
            seen = self._store.digest(self._home / item.path)
        except IntegrityError:
            return f"{item.path} is missing"
        return "" if seen == item.digest else f"{item.path}: expected {item.digest}, saw {seen}"

    def _policy_of(self, night: Night) -> Policy:
        """The policy that it was judged by, from its own folder; today's where that is gone, which is said of it."""
        try:
            return read_policy((self._home / night.folder / "policy.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, InvalidInput):
            return self._policy
