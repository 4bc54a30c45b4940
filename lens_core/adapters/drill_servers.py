"""The cells ``api`` and ``half_fleet``: the old version and the candidate serve one index, and are asked over HTTP.

Their judges stand in ``lens_core.drills.server_judges``. Each server says itself which version it is.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lens_core.adapters.api_observer import ENGINE_COMMAND, observe_answers, observe_half_fleet, serving
from lens_core.adapters.api_requests import document_of
from lens_core.drills.ports import Case, Cell, Facts
from lens_core.supply.words import Progress

Observer = Callable[[str, str, list[str], Progress], bytes]
"""Gives canonical JSON about (address of the old server, of the new one, questions)."""


@dataclass(frozen=True, slots=True)
class ServerCell:
    """Keeps the ``Cell`` port: facts are ``{"old": version, "new": version, "seen": what was observed}``."""

    name: str
    look: Observer

    def observe(self, case: Case, progress: Progress) -> Facts:
        """See ``Cell``."""
        questions = list(dict.fromkeys(question["query"] for question in case.old_index.questions))
        with _both(case) as (old_url, new_url):
            seen = json.loads(self.look(old_url, new_url, questions, progress))
            says = {side: _version(url) for side, url in (("old", old_url), ("new", new_url))}
        return {**says, "seen": seen}


SERVER_CELLS: tuple[Cell, ...] = (ServerCell("api", observe_answers), ServerCell("half_fleet", observe_half_fleet))
"""The cells of this module."""


@contextmanager
def _both(case: Case) -> Iterator[tuple[str, str]]:
    """The addresses of both, each on a copy of the old index."""
    old, new, indexes = case.old_engine(), case.new, (case.scratch / "for-old", case.scratch / "for-new")
    for index in indexes:
        shutil.copytree(case.old_index.index, index)
    with (
        serving(old.command(ENGINE_COMMAND), indexes[0], f"the engine {old.version}") as old_url,
        serving(new.command(ENGINE_COMMAND), indexes[1], f"the engine {new.version}") as new_url,
    ):
        yield old_url, new_url


def _version(url: str) -> str:
    return str(document_of(url)["info"]["version"])
