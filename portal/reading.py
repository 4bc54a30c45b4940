"""What the pages and routes read, and for how long they may keep it.

A closed night never changes, so what was read of it is kept; the list of nights and an open night
are read anew after some seconds. A candidate is verified again when its files, its drills, the trusted keys or
the ledger's memory of it changed, and every hour, because bytes may go bad without a trace. Whether a candidate
may be promoted is kept for seconds only, for others decide on it elsewhere; whoever signs here is shown it anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pandas as pd
import streamlit as st

from lens_core import bootstrap, candidates_bootstrap, portal_bootstrap
from lens_core.audit import Entry
from lens_core.audit_verification import AuditVerification
from lens_core.candidates import Candidates, Cut, Inventory, Known
from lens_core.drills.reader import DrillVerification
from lens_core.errors import InvalidInput, LensError
from lens_core.model import Answer, Evidence, Measurement, Night, NightState
from lens_core.places import config_file
from lens_core.portal_bootstrap import PortalSignoff
from lens_core.signoff.break_glass import Review
from lens_core.signoff.words import Person
from lens_core.signoff_desk import SignoffDesk, Standing
from lens_core.signoff_ports import StatementSigner
from lens_core.views import latency_limits, trend_frame

TREND_METRICS = ("p50_ms", "p95_ms", "p99_ms", "tail_ratio")
_KEPT_METRICS = (*TREND_METRICS, "baseline_p95_ms", "baseline_p99_ms")
TREND_NIGHTS = 180
_BELIEVED_S = 3600
_READY_S = 10


class Reader(Protocol):
    """The readings of ``Lens`` that the portal asks for."""

    def nights(self) -> tuple[Night, ...]:
        """All nights, newest first."""

    def night(self, ref: str) -> Night:
        """The night with this id or of this date; InvalidInput when there is none."""

    def answers(self, night_id: str) -> tuple[Answer, ...]:
        """What the gates said."""

    def measurements(self, night_id: str) -> tuple[Measurement, ...]:
        """What was measured."""

    def evidence(self, night_id: str) -> tuple[Evidence, ...]:
        """The files that the verdict rests on."""

    def evidence_path(self, night_id: str, path: str) -> Path:
        """Where one of these files lies; InvalidInput when it is none of them."""

    def samples(self, night_id: str, slice_name: str) -> pd.DataFrame:
        """The raw samples of one slice."""

    def catalogue_slices(self) -> tuple[str, ...]:
        """The names of the slices, in their order."""


@dataclass(frozen=True, slots=True)
class NightRecord:
    """A night with all that is known of it."""

    night: Night
    answers: tuple[Answer, ...]
    evidence: tuple[Evidence, ...]

    @property
    def slices(self) -> tuple[str, ...]:
        """The slices that the night is bound to."""
        return self.night.slices


@st.cache_resource(show_spinner=False)
def lens() -> Reader:
    """The one opened Lens of this process."""
    return bootstrap.open_lens()


@st.cache_data(ttl=5, show_spinner=False)
def nights() -> tuple[Night, ...]:
    """All nights, newest first."""
    return lens().nights()


@st.cache_data(ttl=5, show_spinner=False)
def find_night(ref: str) -> Night:
    """The night that ``ref`` (a date or an id) names."""
    return lens().night(ref)


@st.cache_data(ttl=60, show_spinner=False)
def catalogue_slices() -> tuple[str, ...]:
    """The slices that a full night asks."""
    return lens().catalogue_slices()


def record(night: Night) -> NightRecord:
    """``night`` with its answers and evidence."""
    if night.state is NightState.CLOSED:
        return _kept_record(night)
    return _read_record(night)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs={Night: repr})
def _kept_record(night: Night) -> NightRecord:
    return _read_record(night)


def _read_record(night: Night) -> NightRecord:
    reader = lens()
    return NightRecord(night, reader.answers(night.night_id), reader.evidence(night.night_id))


@st.cache_data(max_entries=8, show_spinner=False)
def samples(night_id: str, slice_name: str) -> pd.DataFrame:
    """The raw samples of one slice of a closed night."""
    return lens().samples(night_id, slice_name)


@st.cache_data(max_entries=2 * TREND_NIGHTS, show_spinner=False)
def _measured(night_id: str) -> tuple[Measurement, ...]:
    """What a closed night measured, of the trend's metrics only: all of them would be ten times as much."""
    return tuple(
        Measurement(item.slice, item.corpus, tuple(item.get(name) for name in _KEPT_METRICS), item.evidence)
        for item in lens().measurements(night_id)
    )


def closed_nights() -> tuple[Night, ...]:
    """The newest nights that have a verdict, newest first, as many as a trend shows."""
    return tuple(night for night in nights() if night.state is NightState.CLOSED)[:TREND_NIGHTS]


def trend(chosen: Sequence[Night]) -> pd.DataFrame:
    """The trend of ``chosen`` closed nights: one read for each night that was not read before."""
    return _kept_trend(tuple(chosen))


@st.cache_data(max_entries=2, show_spinner=False, hash_funcs={Night: repr})
def _kept_trend(chosen: tuple[Night, ...]) -> pd.DataFrame:
    return trend_frame(chosen, {night.night_id: _measured(night.night_id) for night in chosen}, TREND_METRICS)


def limits(night: Night, metric: str) -> dict[str, float]:
    """The threshold of ``metric`` per slice, as the gates of ``night`` drew it."""
    return latency_limits(metric, record(night).answers, _measured(night.night_id))


@st.cache_resource(show_spinner=False)
def _candidates() -> Candidates:
    """The one reader of cuts and drills of this process."""
    return candidates_bootstrap.open_candidates()


@st.cache_data(ttl=5, show_spinner=False)
def candidates() -> tuple[Known, ...]:
    """Every version that was cut, newest first."""
    return _candidates().known()


@st.cache_data(ttl=5, show_spinner=False)
def only_drilled() -> tuple[str, ...]:
    """Versions that were drilled and never cut."""
    return _candidates().only_drilled()


def cut(known: Known) -> Cut:
    """What verifying a version's cut gave; one that cannot be read has that as its fault."""
    try:
        return _kept_cut(known.version, known.cut_stamp)
    except LensError as error:  # it may be read the next time, so it is not kept
        return Cut(known.version, (error.message,))


@st.cache_data(ttl=_BELIEVED_S, max_entries=64, show_spinner="Verifying what was cut")
def _kept_cut(version: str, stamp: str) -> Cut:  # noqa: ARG001  (part of the key)
    return _candidates().cut(version)


def inventory(known: Known) -> Inventory:
    """What is in a cut that verifies; IntegrityError when a list in it cannot be read."""
    return _kept_inventory(known.version, known.cut_stamp)


@st.cache_data(ttl=_BELIEVED_S, max_entries=64, show_spinner="Counting what is in it")
def _kept_inventory(version: str, stamp: str) -> Inventory:  # noqa: ARG001  (part of the key)
    return _candidates().inventory(version)


def drills(known: Known, wheel_sha256: str) -> tuple[DrillVerification, ...]:
    """Every drill of a version, verified, oldest first."""
    return _kept_drills(known.version, known.drill_stamp, wheel_sha256)


@st.cache_data(ttl=_BELIEVED_S, max_entries=16, show_spinner="Verifying the drills")
def _kept_drills(version: str, stamp: str, wheel_sha256: str) -> tuple[DrillVerification, ...]:  # noqa: ARG001  (part of the key)
    return _candidates().drills(version, wheel_sha256)


def desk() -> SignoffDesk:
    """The desk, of the configuration as it is now."""
    return _signoff().desk


def portal_signer() -> StatementSigner:
    """Signs with the portal's own key."""
    return _signoff().signer


def people() -> tuple[Person, ...]:
    """Whom ``lens.toml`` names."""
    return _signoff().people


def _signoff() -> PortalSignoff:
    """Somebody whose role was taken away in ``lens.toml`` must not keep it until the portal is started again."""
    return _opened_signoff(_config_stamp())


def _config_stamp() -> str:
    try:
        seen = config_file().stat()
    except OSError as error:
        raise InvalidInput(
            f"expected the configuration at {config_file()}, saw {error.strerror}",
            "start the portal in the project's folder, or name the file in LENS_CONFIG",
        ) from error
    return f"{seen.st_ino}.{seen.st_mtime_ns}.{seen.st_size}"


@st.cache_resource(show_spinner=False, max_entries=1)
def _opened_signoff(stamp: str) -> PortalSignoff:  # noqa: ARG001  (part of the key)
    return portal_bootstrap.open_portal_signoff()


def now() -> datetime:
    """The time by which sign-ins end."""
    return _signoff().now()


def standing(version: str) -> Standing:
    """Where a version stands, and who may state what on it."""
    return _kept_standing(_config_stamp(), version)


@st.cache_resource(ttl=_READY_S, max_entries=16, show_spinner="Verifying everything that it rests on")
def _kept_standing(stamp: str, version: str) -> Standing:  # noqa: ARG001  (part of the key)
    return desk().standing(version)


@st.cache_data(ttl=_READY_S, show_spinner=False)
def reviews() -> tuple[Review, ...]:
    """Every use of break-glass that nobody has reviewed, of any candidate, oldest first."""
    return desk().reviews()


@st.cache_resource(ttl=_READY_S, max_entries=1, show_spinner="Verifying the audit log")
def audit() -> AuditVerification:
    """What verifying the audit log gave."""
    return _signoff().audit.verify()


@st.cache_resource(ttl=_READY_S, max_entries=16, show_spinner=False)
def entries(subject: str, last: int) -> tuple[Entry, ...]:
    """The newest entries of the audit log on a candidate, oldest first."""
    return _signoff().audit.entries(last, subject)


def forget_standing() -> None:
    """Read anew what a statement changes."""
    audit.clear()
    entries.clear()
    _kept_standing.clear()
    reviews.clear()
