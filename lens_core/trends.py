"""Reads the nights of the ledger as series: which nights count, which slices and metrics there are, which limit."""

from collections.abc import Sequence

from lens_core.errors import InvalidInput
from lens_core.model import Night
from lens_core.ports import Ledger
from lens_core.series import Limit, Series, counted_nights, limits_of, read_series

NEWEST_NIGHTS = 180


def series_of(
    ledger: Ledger, catalogue: Sequence[str], metric: str, slices: Sequence[str] = (), through: Night | None = None
) -> tuple[Series, ...]:
    """The series of ``metric`` for ``slices`` (none: all of the catalogue, and what else was measured).

    Of the newest 180 nights that count, over all candidates; ``through`` is the newest night that may,
    and does even while it runs. Empty when no night counts yet. InvalidInput for a slice or a metric
    that nobody knows, naming those that are known.
    """
    nights = counted_nights(ledger.nights(), NEWEST_NIGHTS, through)
    if not nights:
        return ()
    measured = {night.night_id: ledger.measurements(night.night_id) for night in nights}
    everything = [item for night in nights for item in measured[night.night_id]]
    if everything:  # a night that measured nothing still has a report, and it says so for every slice
        _refuse_unknown("metric", (metric,), [m.name for item in everything for m in item.metrics])
    known = list(dict.fromkeys([*catalogue, *(item.slice for item in everything)]))
    _refuse_unknown("slice", slices, known)
    limits = _limits(ledger, nights, metric)
    found = (read_series(nights, measured, metric, name) for name in (slices or known))
    return tuple(Series(one.slice, metric, one.points, limits.get(one.slice)) for one in found)


def _refuse_unknown(what: str, asked: Sequence[str], known: Sequence[str]) -> None:
    if unknown := [name for name in asked if name not in known]:
        raise InvalidInput(f"no {what} is called {', '.join(unknown)}", f"known are {', '.join(dict.fromkeys(known))}")


def _limits(ledger: Ledger, nights: Sequence[Night], metric: str) -> dict[str, Limit]:
    """Each slice's limit, as the newest night that was bound to this slice drew it, or did not."""
    limits: dict[str, Limit] = {}
    settled: set[str] = set()
    for night in reversed(nights):
        open_slices = set(night.slices) - settled
        if not open_slices:
            continue
        drawn = limits_of(metric, ledger.answers(night.night_id), ledger.measurements(night.night_id))
        limits |= {name: limit for name, limit in drawn.items() if name in open_slices}
        settled |= open_slices
    return limits
