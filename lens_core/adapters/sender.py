"""The process that delivers what is due, and outlives whoever started it.

A delivery is not cut in half when the monitor is killed: the sender is in a session of its own, records that an
attempt begins, delivers, and records how it ended. ``outbox.lock`` lets one run at a time. Only when the
sender itself is killed between a delivery and its record is a message sent again, with the same id and the words
that it may be a repeat.
"""

import fcntl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from lens_core.adapters.alert_ledger import SqlAlertLedger
from lens_core.adapters.clock import SystemClock
from lens_core.adapters.notifier import AppriseNotifier
from lens_core.config import load_settings
from lens_core.errors import LensError
from lens_core.monitor_ports import AlertLedger, Delivery, Notifier

_LOCK = "outbox.lock"
_REST_S = 30.0


def due(deliveries: tuple[Delivery, ...], now: datetime, longest_wait_s: float) -> tuple[Delivery, ...]:
    """The first undelivered message of each target whose time has come: no message overtakes another.

    A wait longer than any that is ever set comes from a clock that was turned back, and is over.
    """
    heads: dict[str, Delivery] = {}
    for delivery in deliveries:
        heads.setdefault(delivery.target, delivery)
    waits = ((head, (head.next_attempt_at - now).total_seconds()) for head in heads.values())
    return tuple(head for head, wait_s in waits if wait_s <= 0 or wait_s > longest_wait_s)


def drain(
    ledger: AlertLedger, notifier: Notifier, now: Callable[[], datetime], retry_first_s: float, retry_most_s: float
) -> int:
    """Deliver until nothing is due; how many were delivered."""
    delivered = 0
    while heads := due(ledger.deliveries(), now(), retry_most_s):
        for head in heads:
            message = head.message
            ledger.begin_delivery(message.message_id, head.target, now())
            failure = notifier.deliver(head.target, message, head.attempts + 1)
            wait_s = min(retry_first_s * 2 ** min(head.attempts, 30), retry_most_s)
            ledger.end_delivery(message.message_id, head.target, now(), failure, wait_s)
            delivered += not failure
    return delivered


@contextmanager
def _alone(home: Path) -> Iterator[bool]:
    """True when nobody else is sending, and nobody else will until the context ends."""
    with (home / _LOCK).open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


class SenderProcess:
    """Keeps the ``Courier`` port."""

    def __init__(self, home: Path, config: Path, ledger: AlertLedger, longest_wait_s: float) -> None:
        self._home = home
        self._config = config
        self._ledger = ledger
        self._longest_wait_s = longest_wait_s
        self._clock = SystemClock()
        self._started: subprocess.Popen[bytes] | None = None
        self._started_mono_s = 0.0

    def send_due(self) -> str:
        """See ``Courier``. A sender that failed is not started again at once: it costs a second of a core."""
        code = None if self._started is None else self._started.poll()
        now_mono_s = self._clock.monotonic_s()
        if self._started is not None and code is None:
            return ""
        failed = f"the sender ended with code {code}: see sender.log in the home folder" if code else ""
        if not due(self._ledger.deliveries(), self._clock.now(), self._longest_wait_s):
            return ""
        if failed and now_mono_s - self._started_mono_s < _REST_S:
            return failed
        with _alone(self._home) as free:
            if not free:
                return ""
        self._started_mono_s = now_mono_s
        command = [sys.executable, "-m", "lens_core.adapters.sender", str(self._home), str(self._config)]
        with (self._home / "sender.log").open("ab") as log:
            self._started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return failed


def main(home: Path, config: Path) -> int:
    """Send what is due, unless somebody does already; the exit code."""
    try:
        settings = load_settings(home, config).monitor
        with _alone(home) as free:
            if free:
                notifier = AppriseNotifier(settings.notify, home / "messages.log", settings.notify_timeout_s)
                ledger = SqlAlertLedger(home / "lens.db")
                drain(ledger, notifier, SystemClock().now, settings.retry_first_s, settings.retry_most_s)
    except LensError as error:
        sys.stderr.write(f"lens: {error.message} ({error.hint})\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
