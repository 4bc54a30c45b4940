"""What the cells of a drill see when a candidate keeps every promise: engines of this process, a fake server."""

from dataclasses import dataclass
from functools import cache

import httpx
from drilling import FakeVersions
from fake_engine import FakeEngine

from lens_core.adapters.api_requests import Recorder
from lens_core.adapters.drill_cells import ENGINE_CELLS
from lens_core.drills.api_requests import ApiRequest, compat_requests, requests_of
from lens_core.drills.index_damage import DAMAGES
from lens_core.drills.index_integrity import FILE_KINDS
from lens_core.drills.integrity import DOORS
from lens_core.drills.openapi import Document
from lens_core.drills.previous import Previous

VERSION = "0.9.2"
PREVIOUS = Previous(
    version=VERSION,
    commit="1" * 40,
    tantivy="0.25.1",
    wheel="old.whl",
    wheel_sha256="b" * 64,
    lock="old.lock",
    lock_sha256="c" * 64,
    index="old.tar.xz",
    index_sha256="d" * 64,
)
"""The one previous version that is registered."""


@dataclass(frozen=True)
class SeenCell:
    """Sees what it is given, whatever is asked."""

    name: str
    facts: object

    def observe(self, case, progress):
        """See ``Cell``."""
        return self.facts


@dataclass(frozen=True)
class ServedCell:
    """As ``SeenCell``, for cells that name the two versions that served."""

    name: str
    seen: object

    def observe(self, case, progress):
        """See ``Cell``."""
        return {"old": case.previous.version, "new": case.new.version, "seen": self.seen}


@dataclass(frozen=True)
class _Kept:
    """An engine cell that looks once per process: its facts are the same every time (a test says so)."""

    name: str

    def observe(self, case, progress):
        """See ``Cell``."""
        if self.name not in _FACTS:
            cell = next(cell for cell in ENGINE_CELLS if cell.name == self.name)
            _FACTS[self.name] = cell.observe(case, progress)
        return _FACTS[self.name]


_FACTS: dict[str, object] = {}


def good_cells():
    """Every cell of a drill, each with something good to see."""
    return (
        *(_Kept(cell.name) for cell in ENGINE_CELLS),
        SeenCell("integrity", _integrity()),
        ServedCell("api", _api()),
        ServedCell("half_fleet", _half_fleet()),
    )


def good_versions():
    """The registered version, to be run in this process."""
    return FakeVersions()


def _integrity():
    def one(kind, file, door="open", **more):
        said = more or {"outcome": "refused", "at": "open", "code": "damaged", "reason": "size: expected 1, saw 2"}
        return {"door": door, "kind": kind, "file": file, "place": "middle", **said}

    named = [kind if kind in {"meta.json", ".managed.json", "manifest.json"} else f"a{kind}" for kind in FILE_KINDS]
    tries = [one(damage, name) for name in named for damage in DAMAGES]
    tries += [one("flipped", "a.idx", door) for door in DOORS[1:]]
    control = {door: one("untouched", "", door, outcome="answered", same=True) for door in DOORS}
    return {"control": control, "findings": [], "tries": tries}


@cache
def _api():
    old, new, recorder, whose = FakeEngine(), FakeEngine(), Recorder(), {}
    samples = {("/search", "q"): ("parse header",), ("/outline", "path"): ("a.py",)}
    golden = [ApiRequest("GET", "/search", (("q", text), ("limit", "50"))) for text in ("getUserName", "cart")]
    asked = [
        ("golden", golden),
        ("old", requests_of(Document(old.document), samples)),
        ("new", requests_of(Document(new.document), samples)),
        ("compat", compat_requests("/compat/check", [old.api_version, new.api_version], [1])),
    ]
    for by, requests in asked:
        for request in requests:
            whose.setdefault(request, set()).add(by)

    def answer(engine, request):
        code, media, body = engine.answer(request.method, request.path, list(request.query))
        return recorder.note(httpx.Response(code, headers={"content-type": media}, content=body))

    exchanges = [
        {"by": sorted(by), "method": one.method, "path": one.path, "query": [list(pair) for pair in one.query],
         "old": answer(old, one), "new": answer(new, one)}
        for one, by in whose.items()
    ]  # fmt: skip
    return {
        "format": 1, "old": {"document": old.document}, "new": {"document": new.document}, "exchanges": exchanges,
        "bodies": recorder.bodies,
    }  # fmt: skip


def _half_fleet():
    paths = [f"{number}.py" for number in range(8)]
    hits = [{"path": path, "start_line": 1, "end_line": 2} for path in paths]
    said = {"code": 200, "media": "application/json", "body": "a"}
    return {
        "format": 1,
        "questions": ["cart", "user"],
        "alone": [dict.fromkeys(("old", "new"), said)] * 2,
        "mixed": [[{"half": side, **said} for side in ("old", "new", "old", "new")]] * 2,
        "counted": {"old": 4, "new": 4},
        "bodies": {"a": {"value": {"hits": hits, "total": len(hits)}}},
    }
