"""The registered previous versions, ready to be drilled: their homes, and what they archived."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lens_core.adapters.engine_homes import EngineHome, EngineHomes
from lens_core.adapters.previous_indexes import unpack_archived
from lens_core.drills.ports import Facts, OldIndex
from lens_core.drills.previous import Previous, select_previous
from lens_core.errors import IntegrityError
from lens_core.supply.words import Progress


class RegisteredVersions:
    """Keeps the ``Versions`` port for ``known``, whose files lie in the folder ``data``."""

    def __init__(self, known: tuple[Previous, ...], data: Path, homes: EngineHomes) -> None:
        self._known = known
        self._data = data
        self._homes = homes

    def home(self, version: str, progress: Progress) -> EngineHome:
        """See ``Versions``."""
        return self._homes.of(self._previous(version), progress)

    def unpack(self, version: str, folder: Path) -> OldIndex:
        """See ``Versions``."""
        archived = unpack_archived(self._data, self._previous(version), folder)
        try:
            golden = json.loads(archived.golden.read_text(encoding="utf-8"))
            said: Facts = {"answers": [_as_worker(answer) for answer in golden["answers"]]}
            questions = tuple(golden["questions"])
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(
                f"golden.json of {version}: expected answers, saw {error!r}", "archive it again"
            ) from error
        if len(questions) != len(said["answers"]):
            raise IntegrityError(f"golden.json of {version}: not one answer for each question", "archive it again")
        answers = {"ok": True, "engine": version, "tantivy": self.tantivy(version), "said": said}
        return OldIndex(archived.index, archived.tree, questions, answers, "archived")

    def wheel_sha256(self, version: str) -> str:
        """See ``Versions``."""
        return self._previous(version).wheel_sha256

    def tantivy(self, version: str) -> str:
        """See ``Versions``."""
        return self._previous(version).tantivy

    def _previous(self, version: str) -> Previous:
        [only] = select_previous(self._known, version)
        return only


def _as_worker(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An archived answer as ``drill_worker.answers`` would have given it."""
    hits = [f"{path}:{start}-{end}:{symbol}" for path, start, end, symbol, *_ in answer["hits"]]
    whole = hashlib.sha256(json.dumps(sorted(hits)).encode()).hexdigest() if len(hits) == answer["total"] else ""
    return {"total": answer["total"], "hits": hits, "all": f"sha256:{whole}" if whole else ""}
