"""``Lens``: a method per use case, and nothing that a face needs is anywhere else.

Long work (fetching, indexing, load, notebooks) happens between the ledger's short transactions.
"""

import re
from datetime import date
from pathlib import Path

import pandas as pd

from lens_core.backtest import Backtest, backtest
from lens_core.changes import Trend, find_changes
from lens_core.config import read_policy
from lens_core.errors import Conflict, IntegrityError, InvalidInput
from lens_core.forecast import HORIZON_NIGHTS, Forecast, forecast
from lens_core.gates import Policy, reason_for, verdict_of
from lens_core.model import (
    Answer,
    Corpus,
    Evidence,
    Measurement,
    Night,
    NightState,
    Verdict,
)
from lens_core.night import NightRequest, NightRun, Say, World
from lens_core.ports import FetchListener, FetchReport
from lens_core.series import Series
from lens_core.trends import series_of
from lens_core.verification import SliceRecords, Verification, verify

_NIGHT_ID = re.compile(r"\d{4}-\d{2}-\d{2}\.\d+")


class Lens:
    """Everything that a face can ask for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._records = SliceRecords(world.store, world.home)

    # --- running a night ------------------------------------------------------------------------

    def nightly_validation(
        self, request: NightRequest, say: Say = lambda _line: None, on_fetch: FetchListener | None = None
    ) -> Night:
        """Run a night to its verdict, telling ``say`` one line per step.

        InvalidInput for a selection, version or duration that cannot be; Conflict when a night runs
        already or the date has its night; Unavailable and IntegrityError when nothing could be run.
        """
        return NightRun(self._world, request, say, on_fetch).run()

    def fetch_corpora(
        self, corpora: tuple[Corpus, ...], on_fetch: FetchListener | None = None, *, offline: bool = False
    ) -> FetchReport:
        """Have the corpora in the cache, verified. The report names each that cannot be had, and why."""
        return self._world.corpora.fetch(corpora, on_progress=on_fetch, offline=offline)

    def select_corpora(
        self, repo_types: tuple[str, ...] = (), languages: tuple[str, ...] = (), sizes: tuple[str, ...] = ()
    ) -> tuple[Corpus, ...]:
        """Corpora of the catalogue; InvalidInput names a combination that has none."""
        return self._world.catalogue.select(repo_types, languages, sizes)

    # --- what the notebooks call ----------------------------------------------------------------

    def measure_slice(self, night_id: str, slice_name: str, say: Say = lambda _line: None) -> Measurement:
        """Index, ask and measure one slice of an open night; its raw samples are stored before this returns.

        ``say`` is told of every look at the intervals.
        """
        night, world = self._open_night(night_id), self._world
        corpus = next((c for c in world.catalogue.corpora if str(c.slice) == slice_name), None)
        if corpus is None or slice_name not in night.slices:
            raise InvalidInput(f"night {night_id} has no slice {slice_name}", f"it has {', '.join(night.slices)}")
        seconds = night.duration_minutes * 60 / len(night.slices)
        run = world.validation.run(night.candidate, night.baseline, corpus, night.seed, seconds, say)
        world.store.write_run(self._records.folder(night, slice_name), run)
        return self._records.measured(night, slice_name, world.rules.policy)

    def judge_slice(self, night_id: str, measurement: Measurement) -> tuple[Answer, ...]:
        """What the gates say of a measured slice."""
        return self._records.answers(self._night_by_id(night_id), measurement, self._world.rules.policy)

    def record_slice(self, night_id: str, measurement: Measurement) -> Verdict:
        """Write the slice's verdict row, judged from what is stored; the last thing that its notebook does."""
        night = self._open_night(night_id)
        stored = self._records.measured(night, measurement.slice, self._world.rules.policy)
        if stored != measurement:
            raise IntegrityError(
                f"the measurement of {measurement.slice} is not what its stored samples give",
                "record what measure_slice returned",
            )
        answers = self.judge_slice(night_id, stored)
        self._world.ledger.record_slice(night_id, stored, answers)
        return verdict_of(answers)

    def record_report(self, night_id: str) -> None:
        """Record that the report was drawn; the last thing that its notebook does."""
        self._world.ledger.record_report(night_id)

    # --- reading --------------------------------------------------------------------------------

    def nights(self) -> tuple[Night, ...]:
        """All nights, newest first."""
        return self._world.ledger.nights()

    def night(self, ref: str) -> Night:
        """The night with this id, or of this date: the one over most slices, of those the newest.

        InvalidInput when there is none.
        """
        if _NIGHT_ID.fullmatch(ref):
            return self._night_by_id(ref)
        try:
            wanted = date.fromisoformat(ref)
        except ValueError as error:
            raise InvalidInput(f"expected a date like 2026-11-24 or a night like 2026-11-24.1, saw {ref!r}") from error
        of_date = [night for night in self.nights() if night.night_date == wanted]
        if not of_date:
            raise InvalidInput(f"there is no night on {wanted}", "`lens nights` lists them")
        return max(of_date, key=lambda night: (len(night.slices), night.attempt))

    def _night_by_id(self, night_id: str) -> Night:
        night = next((n for n in self.nights() if n.night_id == night_id), None)
        if night is None:
            raise InvalidInput(f"there is no night {night_id}", "`lens nights` lists them")
        return night

    def _open_night(self, night_id: str) -> Night:
        night = self._night_by_id(night_id)
        if night.state is not NightState.OPEN:
            raise Conflict(f"night {night_id} is closed: nothing is added to it", "start another night")
        if night.policy_digest != self._world.rules.digest:
            raise IntegrityError(
                f"night {night_id} is bound to policy {night.policy_digest.short}, lens.toml now gives "
                f"{self._world.rules.digest.short}",
                "leave lens.toml alone while a night runs",
            )
        return night

    def answers(self, night_id: str) -> tuple[Answer, ...]:
        """Every answer of a night, in the order in which it was given."""
        return self._world.ledger.answers(night_id)

    def standing(self, night_id: str) -> tuple[Verdict, str]:
        """Verdict and reason of the answers so far; of a closed night, its recorded ones."""
        night = self._night_by_id(night_id)
        if night.verdict is not None:
            return night.verdict, night.reason
        answers = self.answers(night_id)
        return verdict_of(answers), reason_for(answers)

    def measurements(self, night_id: str) -> tuple[Measurement, ...]:
        """What was measured of each slice of a night."""
        return self._world.ledger.measurements(night_id)

    def evidence(self, night_id: str) -> tuple[Evidence, ...]:
        """Every file that the night's verdict rests on; paths are relative to the home folder."""
        return self._world.ledger.evidence(night_id)

    def evidence_path(self, night_id: str, path: str) -> Path:
        """Where a recorded file of a night lies; InvalidInput for anything that is not recorded."""
        if not any(item.path == path for item in self.evidence(night_id)):
            raise InvalidInput(f"night {night_id} recorded no file {path}", "`lens night show` names them")
        return self._world.home / path

    def samples(self, night_id: str, slice_name: str) -> pd.DataFrame:
        """The candidate's raw samples of one slice, a row per request; IntegrityError when they are gone.

        ``set_aside`` says why the round of a request does not count, and is empty where it does.
        """
        aside = self.set_aside(night_id, slice_name)
        frame = self._world.store.frame(self._records.folder(self._night_by_id(night_id), slice_name))
        return frame.assign(set_aside=[aside.get(number, "") for number in frame["round_number"]])

    def set_aside(self, night_id: str, slice_name: str) -> dict[int, str]:
        """The rounds of one slice that do not count, and why; IntegrityError when its evidence is gone."""
        night = self._night_by_id(night_id)
        return self._records.set_aside(night, slice_name, self._policy_of(night))

    def catalogue_slices(self) -> tuple[str, ...]:
        """The names of all slices, in catalogue order."""
        return tuple(str(corpus.slice) for corpus in self._world.catalogue.corpora)

    def verify_night(self, ref: str) -> Verification:
        """Recompute a night from its files. Problems are named in the answer, not raised."""
        night = self.night(ref)
        return verify(night, self._policy_of(night), self._world.store, self._world.ledger, self._world.home)

    def _policy_of(self, night: Night) -> Policy:
        """The policy that the night was judged by, from its own folder.

        Today's policy stands in for one that is gone or damaged; its digest is then a problem of its own.
        """
        file = self._world.home / night.folder / "policy.json"
        try:
            return read_policy(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, InvalidInput):
            return self._world.rules.policy

    # --- trends and forecasts -------------------------------------------------------------------

    def series(self, metric: str, slices: tuple[str, ...] = (), through: str = "") -> tuple[Series, ...]:
        """``metric`` night by night, a series per slice (all, when none is named), over all candidates.

        ``through`` is the id of the newest night that counts; it does so even while it runs. Empty when
        no night counts yet; InvalidInput for a metric, slice or night that nobody knows.
        """
        newest = self._night_by_id(through) if through else None
        return series_of(self._world.ledger, self.catalogue_slices(), metric, slices, newest)

    def trends(self, metric: str, slices: tuple[str, ...] = (), through: str = "") -> tuple[Trend, ...]:
        """Change points and early warnings of each series; see ``series``."""
        return tuple(find_changes(one) for one in self.series(metric, slices, through))

    def forecasts(
        self, metric: str, slices: tuple[str, ...] = (), nights: int = HORIZON_NIGHTS, through: str = ""
    ) -> tuple[Forecast, ...]:
        """A forecast of each series, ``nights`` nights ahead; see ``series``. InvalidInput beyond 30 nights."""
        return tuple(forecast(one, nights) for one in self.series(metric, slices, through))

    def backtest(self, metric: str, slices: tuple[str, ...] = (), nights: int = HORIZON_NIGHTS) -> Backtest:
        """What the forecasts of ``metric`` would have been worth on the nights that came."""
        return backtest(metric, self.series(metric, slices), nights)
