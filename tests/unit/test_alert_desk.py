"""What people do with alerts: by id or by a beginning of it, with a name, and seen by a monitor that runs."""

import pytest
from monitor_fakes import FakeAlertLedger, FakeEventClock, FakeSource, InlineCourier, build_monitor, seconds_of

from lens_core.alert_desk import AlertDesk
from lens_core.errors import Conflict, InvalidInput
from lens_core.monitor_view import health_of

MEDIUM = "backend-python-medium"


@pytest.fixture
def house():
    """A monitor that has two open alerts."""
    made = build_monitor([FakeSource(list(seconds_of()))], FakeAlertLedger())
    while made.world.sources[0].place < 220:
        made.monitor.step()
    return made


@pytest.fixture
def desk(house):
    """The desk over the same ledger."""
    return AlertDesk(house.world.ledger, FakeEventClock(), InlineCourier(house.world.ledger), ("a",))


def test_an_alert_is_found_by_its_id_or_a_beginning_that_only_it_has(desk):
    """Both name it; a beginning of several, of none, and nothing at all are the caller's mistake."""
    whole = next(a.alert_id for a in desk.alerts() if a.alert_id.startswith(MEDIUM))
    assert desk.acknowledge(MEDIUM, "mia", "on it").alert.alert_id == whole
    assert desk.silence(whole, "mia", "", 5).alert.alert_id == whole
    for ref, words in (("backend", "2 open alerts"), ("nobody", "no open alert"), ("", "no open alert")):
        with pytest.raises(InvalidInput, match=words):
            desk.acknowledge(ref, "mia", "")


def test_what_is_resolved_stays_as_it_is(desk):
    """A second resolution is a conflict, and leaves one alert less and one message more."""
    before = desk.undelivered()
    change = desk.resolve(MEDIUM, "mia", "known")
    assert (len(desk.alerts()), len(desk.alerts(also_resolved=True)), desk.undelivered()) == (1, 2, before)
    with pytest.raises(Conflict, match="is resolved"):
        desk.resolve(change.alert.alert_id, "mia", "known")
    assert [event for event, _ in desk.history(change.alert.alert_id)] == ["open", "escalate", "resolve"]


def test_an_alert_cannot_be_acknowledged_twice(desk):
    """The table has no such step: the second one hears that somebody was there before."""
    desk.acknowledge(MEDIUM, "mia", "")
    with pytest.raises(Conflict, match="is acknowledged"):
        desk.acknowledge(MEDIUM, "tom", "")


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_silence_has_an_end(desk, minutes):
    """Neither no time, nor endless, nor no number."""
    with pytest.raises(InvalidInput, match="minutes"):
        desk.silence(MEDIUM, "mia", "", minutes)


def test_whoever_acts_has_a_name(desk):
    """Without one nothing is done."""
    with pytest.raises(InvalidInput, match="a name"):
        desk.acknowledge(MEDIUM, "  ", "")


def test_a_running_monitor_sees_what_people_did(house, desk):
    """After an acknowledgement /health says so, the same severity is quiet, and the alert still resolves."""
    desk.acknowledge(MEDIUM, "mia", "on it")
    said = len(house.world.courier.notifier.taken)
    house.world.clock.mono_s += 1
    house.monitor.step()
    alerts = health_of(house.world.board.snapshot, house.world.clock.mono_s)["alerts"]
    assert {a["subject"]: a["state"] for a in alerts}["backend/python/medium"] == "acknowledged"
    house.until_end()
    mine = [m for _, m, _ in house.world.courier.notifier.taken[said:] if m.startswith(MEDIUM)]
    assert [m[-2:] for m in mine] == [".4"]  # after open, escalate and acknowledge: the resolution
