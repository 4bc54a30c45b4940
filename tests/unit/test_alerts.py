"""The table of alerts, and what evaluations and people do to one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lens_core.alerts import (
    BY_PEOPLE,
    TABLE,
    Alert,
    AlertEvent,
    AlertState,
    Severity,
    Watch,
    act,
    advance,
    message_of,
    move,
)
from lens_core.errors import Conflict
from lens_core.findings import AlertKind, AlertRule, Finding, Says

T0 = 1_796_083_200
AT = datetime.fromtimestamp(T0, UTC)
RULE = AlertRule(
    ratio_above=2.0, critical_above=3.0, escalate_after=3, resolve_after=3, resolve_below=1.9, silent_after=4
)
WORDS = {"v": Says.VIOLATED, "V": Says.VIOLATED, "c": Says.CLEAN, "n": Says.NEAR, "i": Says.INSUFFICIENT}


def finding(word, kind=AlertKind.RATIO):
    """``v`` a violation, ``V`` a grave one, ``c`` clean, ``n`` near the limit, ``i`` insufficient."""
    ratio = {"v": 2.5, "V": 3.5, "c": 1.2, "n": 1.95, "i": None}[word]
    return Finding(kind, "backend/python/small", WORDS[word], f"because {word}", grave=word == "V", ratio=ratio)


def play(words, watch=None, kind=AlertKind.RATIO, start=0):
    """Evaluate letter by letter, 30 s apart: the watch after it, and (letter's place, event, severity, spoken)."""
    watch = watch or Watch(kind, "backend/python/small")
    heard = []
    for place, word in enumerate(words):
        watch, changes = advance(watch, finding(word, kind), T0 + (start + place) * 30, RULE)
        heard += [(place, c.event, c.alert.severity.name, c.spoken) for c in changes]
    return watch, heard


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ccc", []),
        ("iii", []),
        ("v", ["0 open WARNING"]),
        ("V", ["0 open WARNING"]),
        ("vv", ["0 open WARNING"]),
        ("vvv", ["0 open WARNING", "2 escalate ERROR"]),
        ("vvV", ["0 open WARNING", "2 escalate CRITICAL"]),
        ("vvvV", ["0 open WARNING", "2 escalate ERROR", "3 escalate CRITICAL"]),
        ("vvVvv", ["0 open WARNING", "2 escalate CRITICAL"]),
        ("vvcvv", ["0 open WARNING"]),
        ("vvnvv", ["0 open WARNING"]),
        ("vviv", ["0 open WARNING", "3 escalate ERROR"]),
        ("vviiii", ["0 open WARNING"]),
        ("vccc", ["0 open WARNING", "3 clear WARNING"]),
        ("vccnccc", ["0 open WARNING", "6 clear WARNING"]),
        ("vccicc", ["0 open WARNING"]),
        ("vcciccc", ["0 open WARNING", "6 clear WARNING"]),
        ("vcccv", ["0 open WARNING", "3 clear WARNING", "4 open WARNING"]),
        ("viiiiiii", ["0 open WARNING"]),
        ("vnnnnnnn", ["0 open WARNING"]),
    ],
)
def test_evaluations_make_exactly_these_changes(words, expected):
    """A warning from the first violation, worse from the third in a row, resolved by three clean ones in a row."""
    assert [f"{place} {event} {severity}" for place, event, severity, _ in play(words)[1]] == expected


def alert(state):
    """An alert in a state."""
    return Alert("a.1", AlertKind.RATIO, "a", state, Severity.WARNING, AT, AT, 1, "why")


@pytest.mark.parametrize("state", AlertState)
@pytest.mark.parametrize("event", AlertEvent)
def test_the_table_is_total_and_an_illegal_step_changes_nothing(state, event):
    """Every pair either leads to a state or raises Conflict; what people do raises too and leaves the watch."""
    after = TABLE[state].get(event)
    if after is not None:
        assert move(alert(state), event) is after
        return
    with pytest.raises(Conflict, match=state):
        move(alert(state), event)
    if event in BY_PEOPLE:
        watch = Watch(AlertKind.RATIO, "a", alert=alert(state))
        with pytest.raises(Conflict):
            act(watch, event, AT, "mia", "why")
        assert watch.alert == alert(state)


def test_the_only_end_is_resolved_and_everything_leads_there():
    """RESOLVED has no way out, and every other state can be resolved by windows and by people."""
    for state, steps in TABLE.items():
        assert bool(steps) is (state is not AlertState.RESOLVED)
        if steps:
            assert steps[AlertEvent.CLEAR] is steps[AlertEvent.RESOLVE] is AlertState.RESOLVED


def test_machines_cannot_do_what_people_do_and_the_other_way_round():
    """An evaluation's event is refused from a person, also where the table would have it."""
    watch = Watch(AlertKind.RATIO, "a", alert=alert(AlertState.OPEN))
    with pytest.raises(Conflict):
        act(watch, AlertEvent.ESCALATE, AT, "mia", "why")


def test_an_acknowledged_alert_speaks_again_only_when_it_gets_worse():
    """After an acknowledgement the same severity is quiet, a higher one opens it again, and it still resolves."""
    watch, _ = play("v")
    watch, change = act(watch, AlertEvent.ACKNOWLEDGE, AT, "mia", "looking")
    assert (change.alert.state, change.spoken, change.alert.changed_by) == (AlertState.ACKNOWLEDGED, True, "mia")
    watch, heard = play("vv", watch, start=1)
    assert heard == [(1, "escalate", "ERROR", True)]
    assert watch.alert.state is AlertState.ESCALATED
    assert play("ccc", watch, start=3)[1] == [(2, "clear", "ERROR", True)]


def silenced(minutes):
    """The watch of a warning that was silenced at its first evaluation."""
    watch, _ = play("v")
    return act(watch, AlertEvent.SILENCE, AT, "mia", "deploy", AT + timedelta(minutes=minutes))[0]


def test_a_silenced_alert_records_and_says_nothing_until_its_end():
    """Escalation under silence is a change without a message; at its end it speaks once, with what it has become."""
    watch, heard = play("vvvvv", silenced(2), start=1)
    assert heard == [(1, "escalate", "ERROR", False), (3, "wake", "ERROR", True)]
    assert (watch.alert.state, watch.alert.silenced_until) == (AlertState.OPEN, None)
    assert play("v", watch, start=6)[1] == []


def test_a_silenced_alert_that_is_over_says_nothing():
    """When it resolves under silence, that is recorded and not sent, and the silence ends with it."""
    watch, heard = play("ccc", silenced(60), start=1)
    assert heard == [(2, "clear", "WARNING", False)]
    assert play("v", watch, start=4)[1] == [(0, "open", "WARNING", True)]


def test_silence_ends_also_when_nothing_is_known():
    """An insufficient evaluation cannot resolve, so at the end of the silence the alert says that it is open."""
    assert play("iiii", silenced(1), start=1)[1] == [(1, "wake", "WARNING", True)]


def test_a_person_resolves_and_a_violation_after_that_is_another_alert():
    """After a resolution by hand, the next violation begins as a warning with an id of its own."""
    watch, _ = play("vvv")
    first = watch.alert.alert_id
    watch, change = act(watch, AlertEvent.RESOLVE, AT, "mia", "known")
    assert (watch.alert, change.alert.state) == (None, AlertState.RESOLVED)
    watch, heard = play("v", watch, start=3)
    assert heard == [(0, "open", "WARNING", True)]
    assert watch.alert.alert_id != first


def test_without_an_alert_there_is_nothing_to_do():
    """Acknowledging what is not open is a conflict, not a new state."""
    with pytest.raises(Conflict, match="no open alert"):
        act(Watch(AlertKind.RATIO, "a"), AlertEvent.ACKNOWLEDGE, AT, "mia", "why")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("vvvvvvvv", []),
        ("cvvv", []),
        ("cvvvv", [(4, "open", "ERROR", True)]),
        ("cvvvvvvvv", [(4, "open", "ERROR", True)]),
        ("cvvvvc", [(4, "open", "ERROR", True), (5, "clear", "ERROR", True)]),
        ("cvvcvv", []),
    ],
)
def test_a_source_that_was_alive_and_falls_silent_is_one_alert(words, expected):
    """It opens after four silent evaluations, never for a source that never spoke, and resolves with data."""
    assert play(words, kind=AlertKind.SOURCE)[1] == expected


def test_a_change_is_one_message_with_an_id_that_stays():
    """Derived twice from the same evaluations, a change has the same id, words and severity."""
    finds = finding("v")
    _, [change] = advance(Watch(AlertKind.RATIO, finds.subject), finds, T0, RULE)
    _, [again] = advance(Watch(AlertKind.RATIO, finds.subject), finds, T0, RULE)
    message = message_of(change)
    assert message == message_of(again)
    assert message.message_id == "backend-python-small.20261201T000000.1.1"
    assert message.message_id in message.body
    assert message.title == "[WARNING] backend/python/small"


def test_ids_of_one_subject_differ_from_episode_to_episode():
    """Even when the same moment is evaluated again, a later episode has another id."""
    watch, _ = play("vccc")
    again, _ = play("v", watch)
    assert again.alert.alert_id.endswith(".2")


def test_the_worst_ratio_is_kept():
    """An alert remembers the worst that it saw, also when that was no change."""
    watch, _ = play("vVvv")
    assert watch.alert.worst_ratio == 3.5
    assert replace(watch.alert, worst_ratio=None).worst_ratio is None
