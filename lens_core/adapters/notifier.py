"""Messages through apprise: webhook, Slack, e-mail and what else has a URL; ``console://`` is a file.

URLs hold secrets. They are written into nothing: a target is known by a digest of its template (the URL
with ``${NAME}`` for what stands in the environment), and what goes wrong is told with the URL masked.
"""

import hashlib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import apprise

from lens_core.alerts import Message
from lens_core.errors import InvalidInput

CONSOLE = "console://"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TYPES = {
    "warning": apprise.NotifyType.WARNING,
    "error": apprise.NotifyType.FAILURE,
    "critical": apprise.NotifyType.FAILURE,
}


def target_of(template: str) -> str:
    """The name under which a target stands in the ledger: nothing can be read from it."""
    return "console" if template == CONSOLE else hashlib.sha256(template.encode()).hexdigest()[:16]


def fill_in(template: str, environment: Mapping[str, str]) -> str:
    """Put the environment's values in; InvalidInput names a variable that is not set."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if not environment.get(name):
            raise InvalidInput(
                f"monitor.notify names ${{{name}}}, which is not set", f"set {name} in the environment of the monitor"
            )
        return environment[name]

    return _VARIABLE.sub(value, template)


class AppriseNotifier:
    """Keeps the ``Notifier`` port. InvalidInput, with the URL masked, for a target that cannot be one."""

    def __init__(self, templates: Sequence[str], messages: Path, timeout_s: float) -> None:
        # Apprise logs URLs and bodies.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._messages = messages
        self._timeout_s = timeout_s
        self._plugins = {
            target_of(template): self._plugin(template, place)
            for place, template in enumerate(templates)
            if template != CONSOLE
        }
        self.targets = tuple(target_of(template) for template in templates)

    def _plugin(self, template: str, place: int) -> apprise.NotifyBase:
        made = apprise.Apprise.instantiate(fill_in(template, os.environ), suppress_exceptions=True)
        if not isinstance(made, apprise.NotifyBase):
            scheme = template.split(":", 1)[0] if "://" in template else "no scheme"
            raise InvalidInput(
                f"monitor.notify[{place}] ({scheme}) is no URL that messages can be sent to",
                "see the list of apprise's URLs; console:// writes to messages.log",
            )
        made.socket_connect_timeout = made.socket_read_timeout = self._timeout_s
        return made

    def deliver(self, target: str, message: Message, attempt: int) -> str:
        """See ``Notifier``."""
        body = message.body
        if attempt > 1:
            body += f"\nattempt {attempt}: this may be a repeat of message {message.message_id}"
        if target == "console":
            return self._write(message, body)
        plugin = self._plugins.get(target)
        if plugin is None:
            return "its URL no longer stands in monitor.notify"
        # Receivers that take JSON, XML or a form get the id as a header too.
        headers = getattr(plugin, "headers", None)
        if isinstance(headers, dict):
            headers["X-Lens-Message"] = message.message_id
        try:
            sent = plugin.notify(body=body, title=message.title, notify_type=_TYPES[message.severity])
        except Exception as error:  # noqa: BLE001  (a hundred plugins, each with its own)
            return f"{_masked(plugin)} failed: {type(error).__name__}"
        return "" if sent else f"{_masked(plugin)} did not take it"

    def _write(self, message: Message, body: str) -> str:
        """One line; not again when it is there, which is how a file can tell that it has it."""
        line = f"{message.title} {' | '.join(body.splitlines())}\n"
        try:
            with self._messages.open("a+", encoding="utf-8") as handle:
                handle.seek(0)
                marker = f"message {message.message_id}\n"
                if any(said.endswith(marker) for said in handle):
                    return ""
                handle.write(line if line.endswith(marker) else f"{line.rstrip()} | {marker}")
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            return f"messages.log cannot be written: {error.strerror}"
        return ""


def _masked(plugin: apprise.NotifyBase) -> str:
    """The scheme and the host: the rest of a webhook's URL (its path, its query) may be the secret."""
    return f"{plugin.schema}://{getattr(plugin, 'host', None) or '…'}/…"
