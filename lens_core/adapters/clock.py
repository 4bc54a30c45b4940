"""The only place that reads the time of day."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Keeps the ``Clock`` and ``EventClock`` ports with the machine's clock."""

    speed = 1.0
    is_replay = False

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)  # noqa: TID251  (this is the Clock)

    def follow(self, event_time_s: float) -> None:
        """Nothing: events do not move the time of day."""

    def monotonic_s(self) -> float:
        """Seconds since some moment; it never goes back."""
        return time.monotonic()


class ReplayClock:
    """Keeps the ``EventClock`` port for a recording that is written or read ``speed`` times as fast as it happened.

    It begins with the first event that it is told of, runs on from there, and is never behind an event.
    """

    is_replay = True

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._anchor_s: float | None = None
        self._anchor_mono_s = 0.0

    def now(self) -> datetime:
        """The recording's present moment in UTC; 1970 before its first event."""
        return datetime.fromtimestamp(self._now_s(), UTC)

    def _now_s(self) -> float:
        if self._anchor_s is None:
            return 0.0
        return self._anchor_s + (self.monotonic_s() - self._anchor_mono_s) * self.speed

    def follow(self, event_time_s: float) -> None:
        """Begin here, or catch up."""
        if self._anchor_s is None or event_time_s > self._now_s():
            self._anchor_s, self._anchor_mono_s = event_time_s, self.monotonic_s()

    def monotonic_s(self) -> float:
        """Seconds since some moment; it never goes back."""
        return time.monotonic()
