"""Event time: what belongs to a pane, what came too late, and what claims to come from the future."""

import math

import numpy as np
import pytest
from monitor_fakes import batch_of

from lens_core.errors import IntegrityError
from lens_core.panes import Pane, PaneRule, Panes

T0 = 1_796_083_200


def panes(skew_s=60.0, sources=("log",)):
    """Panes of 30 s, open for 5 s more, of two slices."""
    return Panes(PaneRule(30, 5, skew_s), ("a", "b"), sources)


def test_samples_lie_in_the_pane_of_their_own_time():
    """The pane is the floor of the event time; its end belongs to the next one."""
    made = panes()
    made.take("log", batch_of([T0, T0 + 29.999, T0 + 30], [1, 2, 3]), T0 + 30)
    first = T0 // 30
    assert made.held["slice", "a", first].sketch.count == 2
    assert made.held["slice", "a", first + 1].sketch.count == 1
    assert made.watermark_s == T0 + 30


@pytest.mark.parametrize(("watermark", "late"), [(T0 + 34.999, 0), (T0 + 35, 1)])
def test_a_pane_closes_when_the_watermark_is_past_its_end_and_the_lateness(watermark, late):
    """Up to five seconds after its end a pane takes samples; from then on they are counted late."""
    made = panes()
    made.take("log", batch_of([watermark, T0 + 1], [1, 2]), T0 + 60)
    assert made.totals["log"].get("late", 0) == late
    assert (("slice", "a", T0 // 30) in made.held) is not late


def test_what_claims_to_be_from_the_future_moves_nothing():
    """A sample further ahead of the clock than the tolerance is counted, not added, and moves no watermark."""
    made = panes()
    made.take("log", batch_of([T0, T0 + 61, T0 + 60], [1, 2, 3]), T0)
    assert made.totals["log"] == {"lines": 3, "skewed": 1, "taken": 2}
    assert made.watermark_s == T0 + 60


def test_an_unknown_slice_is_counted_and_belongs_to_no_other():
    """A slice that is not on the list moves event time and fills nobody's pane."""
    made = panes()
    made.take("log", batch_of([T0], [1], index=-1), T0)
    assert made.totals["log"] == {"lines": 1, "unknown": 1}
    assert not [key for key in made.held if key[0] == "slice"]


def test_garbled_lines_are_counted_where_they_came():
    """A line without a readable time belongs to the pane that event time was in when it came."""
    made = panes()
    made.take("log", batch_of([T0, T0 + 31], [1, 1], garbled_at=np.array([1, 2])), T0 + 31)
    number = T0 // 30
    assert made.held["source", "log", number].tally["garbled"] == 1
    assert made.held["source", "log", number + 1].tally["garbled"] == 1


def test_event_time_is_that_of_the_slowest_source():
    """With two sources a pane stays open until both are past it, and one that has not begun holds all back."""
    made = panes(sources=("log", "other"))
    made.take("log", batch_of([T0 + 100], [1]), T0 + 100)
    assert made.watermark_s == -math.inf
    made.take("other", batch_of([T0 + 1], [1]), T0 + 100)
    assert made.watermark_s == T0 + 1
    made.take("log", batch_of([T0 + 2], [1]), T0 + 100)
    assert "late" not in made.totals["other"] | made.totals["log"]
    made.advance_idle("other", T0 + 90)
    assert made.watermark_s == T0 + 90


def test_event_time_never_goes_back():
    """Neither an old sample nor a clock that was turned back moves the watermark backwards."""
    made = panes()
    made.take("log", batch_of([T0 + 50, T0 + 40], [1, 1]), T0 + 50)
    made.advance_idle("log", T0)
    assert made.watermark_s == T0 + 50


def test_a_pane_is_read_back_whole_and_damage_is_seen():
    """Sketch, counts and coarse buckets come back from bytes; anything else is broken evidence."""
    pane = Pane()
    pane.sketch.add_many([1.0, 2.0])
    pane.count("errors", 2)
    pane.coarse[3.0] = math.inf
    again = Pane.from_bytes(pane.to_bytes())
    assert (again.sketch, again.tally, again.coarse) == (pane.sketch, pane.tally, pane.coarse)
    for damaged in (b"", b"\0\0\0\2{}", pane.to_bytes()[:-1], b"\0\0\0\1x"):
        with pytest.raises(IntegrityError):
            Pane.from_bytes(damaged)
