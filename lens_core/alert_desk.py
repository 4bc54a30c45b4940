"""What people do with alerts: list, acknowledge, silence, resolve. Each is one short transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from lens_core.alerts import Alert, AlertEvent, Change, Watch, act
from lens_core.errors import Conflict, InvalidInput
from lens_core.monitor_ports import AlertLedger, Courier, EventClock, Watches

_LONGEST_MINUTES = 60 * 24 * 30


class AlertDesk:
    """The use cases of the ``lens alerts`` commands."""

    def __init__(self, ledger: AlertLedger, clock: EventClock, courier: Courier, targets: tuple[str, ...]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._courier = courier
        self._targets = targets

    def alerts(self, *, also_resolved: bool = False) -> tuple[Alert, ...]:
        """Newest first; only the open ones, unless asked."""
        return self._ledger.alerts(also_resolved=also_resolved)

    def history(self, alert_id: str) -> tuple[tuple[str, Alert], ...]:
        """Every change of an alert: the event, and the alert after it."""
        return self._ledger.changes(alert_id)

    def undelivered(self) -> int:
        """How many messages wait to be delivered."""
        return len(self._ledger.deliveries())

    def acknowledge(self, ref: str, by: str, reason: str) -> Change:
        """Somebody knows: the same severity is not said again, a higher one is."""
        return self._act(ref, AlertEvent.ACKNOWLEDGE, by, reason)

    def silence(self, ref: str, by: str, reason: str, minutes: float) -> Change:
        """Say nothing of it for so long; what happens is recorded, and said at the end if it is still open."""
        if not 0 < minutes <= _LONGEST_MINUTES:
            raise InvalidInput(f"expected minutes from 0 to {_LONGEST_MINUTES:,}, saw {minutes}")
        return self._act(ref, AlertEvent.SILENCE, by, reason, self._clock.now() + timedelta(minutes=minutes))

    def resolve(self, ref: str, by: str, reason: str) -> Change:
        """A person says that it is over. A violation after that opens another alert."""
        return self._act(ref, AlertEvent.RESOLVE, by, reason)

    def _act(self, ref: str, event: AlertEvent, by: str, reason: str, until: datetime | None = None) -> Change:
        """Find the one open alert and do it; InvalidInput when ``ref`` is not one, Conflict when it is over."""
        if not by.strip():
            raise InvalidInput("expected a name, saw none", "say who you are with --by")
        now = self._clock.now()

        def decide(watches: Watches) -> tuple[Sequence[Watch], Sequence[Change]]:
            watch, change = act(self._chosen(watches, ref), event, now, by.strip(), reason.strip(), until)
            return [watch], [change]

        [change] = self._ledger.advance(decide, now, self._targets)
        self._courier.send_due()
        return change

    def _chosen(self, watches: Watches, ref: str) -> Watch:
        alerts = [(watch.alert.alert_id, watch) for watch in watches.values() if watch.alert]
        exact = [watch for alert_id, watch in alerts if alert_id == ref]
        found = exact or [watch for alert_id, watch in alerts if ref and alert_id.startswith(ref)]
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidInput(
                f"{ref} is the beginning of {len(found)} open alerts", "name one whole; `lens alerts list` has them"
            )
        if any(alert.alert_id == ref for alert in self._ledger.alerts(also_resolved=True)):
            raise Conflict(
                f"alert {ref} is resolved", "a resolved alert stays as it is", blockers=[f"{ref} is resolved"]
            )
        raise InvalidInput(f"there is no open alert {ref}", "`lens alerts list` shows what is open")
