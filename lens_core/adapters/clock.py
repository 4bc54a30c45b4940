"""The only place that reads the time of day."""

from datetime import UTC, datetime


class SystemClock:
    """Keeps the ``Clock`` port with the machine's clock."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)  # noqa: TID251  (this is the Clock)
