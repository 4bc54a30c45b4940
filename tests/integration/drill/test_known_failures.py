"""Each failure that is known turns its own cell red and no other: real indexes, real versions of tantivy.

The engine of today falls into none of these traps, so each is set by a few exchanged lines in an engine, old or new.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from patched_engines import Patches, previous, todays
from places import PROJECT, image_cache

from lens_core.adapters.damaged_indexes import WORKER, DamagedIndexes, read_index
from lens_core.adapters.drill_bench import ProcessBench
from lens_core.adapters.drill_cells import ENGINE_CELLS
from lens_core.adapters.drill_integrity import IntegrityCell
from lens_core.adapters.engine_homes import EngineHomes
from lens_core.drills.drill import Drilled, DrillRules, RollbackSafe
from lens_core.drills.engine_judges import JUDGES
from lens_core.drills.index_damage import damages
from lens_core.drills.index_integrity import SEGMENT_KINDS, formats, kind_of
from lens_core.drills.integrity import integrity, judge_integrity
from lens_core.drills.ports import Case, OldIndex
from lens_core.drills.previous import parse_previous
from lens_core.model import Verdict

FOLDER = PROJECT / "data" / "previous"
KNOWN = {one.version: one for one in parse_previous((FOLDER / "versions.toml").read_text(encoding="utf-8"))}
RULES = DrillRules(min_questions=5)
CELLS = {cell.name: cell for cell in (*ENGINE_CELLS, IntegrityCell())}
QUICK = ("read", "query_parity", "write", "merge", "rollback", "analyzer")
CART = """class Cart:
    def total_price(self):
        return sum(item.price for item in self.items)


def parse_header(text):
    name, _, rest = text.partition(";")
    return name.strip(), rest
"""
# "alpha" is common and "beta" rare: which weighs more depends on how often a question's word is counted.
TERMS = "\n\n".join(
    f"def {name}(x):\n    return {word}\n" for name, word in [*zip("pqr", ["alpha"] * 3, strict=True), ("s", "beta")]
)
SOURCES = {
    "shop/cart.py": CART,
    "shop/terms.py": TERMS,
    "web/client.ts": "export class Client {\n  getUserName(id: string): string { return this.cache.get(id); }\n}\n",
}
QUERIES = ("price", "getUserName", "total price of items", "parse header name", '"return"', "cart total")
STORED_DATE: Patches = {
    "store": {
        '    builder.add_bytes_field("text", stored=True)\n': '    builder.add_bytes_field("text", stored=True)\n'
        '    builder.add_date_field("when", stored=True)\n'
    },
    "index": {
        '    document.add_bytes("text", chunk.text.encode())\n': '    document.add_bytes("text", chunk.text.encode())\n'
        "    import datetime\n"
        '    document.add_date("when", datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC))\n'
    },
}
OTHER_ORDER: Patches = {"store": {'("start_line", "end_line")': '("end_line", "start_line")'}}
PARSED: Patches = {
    "search": {
        "        self._chunks = chunks.searcher()\n": "        self._chunks = chunks.searcher()\n"
        "        self._parse = chunks.parse_query\n",
        "self._build.words(question, self.catalogue.identifiers, self.catalogue.vocabulary)": "self._parse("
        "question.text, ['body'])",
    }
}
_END_OF_WORDS = "    return found\n\n\ndef trigrams"
DRIFTED: Patches = {
    "analyzer": {_END_OF_WORDS: _END_OF_WORDS.replace("found", "found + ['drift'] * ('$scope): return' in text)")}
}
NEWER: Patches = {"store": {"INDEX_FORMAT: Final = 1\n": "INDEX_FORMAT: Final = 2\n"}}
UNSTORED: Patches = {"index": {'add_bytes("scope", "\\n".join(chunk.parents).encode())': 'add_bytes("scope", b"")'}}


@dataclass(frozen=True)
class Failure:
    """What is wrong on either side, and which cells must see it; ``queries`` are asked beside ``QUERIES``."""

    red: frozenset[str]
    words: str
    old: Patches = field(default_factory=dict)
    new: Patches = field(default_factory=dict)
    version: str = "0.9.0"
    cells: tuple[str, ...] = QUICK
    queries: tuple[str, ...] = ()
    rules: DrillRules = RULES


FAILURES = {
    "none": Failure(frozenset(), "", cells=(*QUICK, "migrate", "roll_forward")),
    "stored date corrupted by a merge": Failure(
        frozenset({"merge"}), "some stored field", old=STORED_DATE, new=STORED_DATE
    ),
    "a newer format of the engine": Failure(frozenset({"read", "query_parity"}), "newer engine", old=NEWER),
    "analyzer changed under the same name": Failure(frozenset({"analyzer"}), "same fingerprint", new=DRIFTED),
    "dropped stored field": Failure(
        frozenset({"migrate"}), "migrat", new=UNSTORED, cells=("read", "write", "merge", "analyzer", "migrate")
    ),
    "reordered schema": Failure(frozenset({"read", "query_parity"}), "another order", old=OTHER_ORDER),
    "one commit blocks going back": Failure(
        frozenset({"rollback"}), "IncompatibleIndex", rules=replace(RULES, accept_copy_first=False)
    ),
    "repeated terms rank otherwise since tantivy 0.26": Failure(
        frozenset({"query_parity"}),
        "another top 10",
        old=PARSED,
        new=PARSED,
        version="0.9.2",
        queries=("alpha alpha alpha alpha beta", "alpha beta"),
        rules=replace(RULES, ranking_boundaries=()),
    ),
}


@pytest.fixture(scope="module")
def homes():
    """The previous versions, each where it runs."""
    made = EngineHomes(FOLDER, image_cache())
    return {version: made.of(KNOWN[version], lambda _line: None) for version in ("0.9.0", "0.9.2")}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What the old versions index."""
    root = tmp_path_factory.mktemp("tree")
    for name, text in SOURCES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


class Stage:
    """An old and a new engine, and an index that the old one has built."""

    def __init__(self, old, new, tree, folder, queries=()):
        self.bench, self.folder = ProcessBench(60.0), folder
        self.old, self.new = self.bench.engine(old), self.bench.engine(new)
        self.sides = [Drilled(home.version, home.tantivy, digit * 64) for home, digit in ((old, "0"), (new, "1"))]
        built = self.old.ask("build", source=tree, index=folder / "index")
        assert built["ok"], built
        whole = {"limit": 50, "offset": 0, "language": None, "symbols": False, "glob": None}
        asked = [{"id": query, "query": query, **whole} for query in (*QUERIES, *queries)]
        self.index = OldIndex(folder / "index", tree, asked, None, "built")

    def ask(self, cell, rules):
        """What the judge of a cell finds in what the cell sees."""
        scratch = self.folder / cell
        scratch.mkdir()
        case = Case(cell, self.sides[0], self.old, self.new, self.index, scratch, rules.top_k)
        facts = json.loads(json.dumps(CELLS[cell].observe(case, lambda _line: None)))
        return {**JUDGES, "integrity": integrity}[cell](facts, *self.sides, rules)


@pytest.mark.parametrize("name", FAILURES)
def test_a_known_failure_turns_its_own_cell_red(homes, tree, tmp_path, name):
    """Of all cells that are asked, those that the failure is about do not advance, and say why; the others do."""
    failure = FAILURES[name]
    old = previous(homes[failure.version], tmp_path / "old", failure.old)
    stage = Stage(old, todays(tmp_path / "new", failure.new), tree, tmp_path, failure.queries)
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(failure.cells, pool.map(partial(stage.ask, rules=failure.rules), failure.cells), strict=True))
    red = {cell: one for cell, one in found.items() if not one.verdict.advances}
    assert red.keys() == failure.red, {cell: one.reason for cell, one in found.items()}
    assert all(one.verdict is Verdict.FAIL and failure.words in one.reason for one in red.values()), red
    if "rollback" in found:
        expected = RollbackSafe.YES if failure.version == "0.9.2" else RollbackSafe.NO
        assert found["rollback"].safe is expected


def test_an_index_of_a_newer_tantivy_is_refused_with_a_reason(homes, tree, tmp_path):
    """What today's tantivy writes, format 7, the engine of 0.9.0 neither reads nor extends, and it says so."""
    stage = Stage(todays(tmp_path / "new"), previous(homes["0.9.0"], tmp_path / "old"), tree, tmp_path)
    assert set(formats(read_index(tmp_path / "index")).values()) == {7}
    for cell in ("read", "query_parity", "write"):
        found = stage.ask(cell, RULES)
        assert found.verdict is Verdict.FAIL
        assert "index version: 7" in found.reason


@pytest.fixture(scope="module")
def two_indexes(homes, tree, tmp_path_factory):
    """An index of 0.9.0 and another, of the same schema."""
    folder = tmp_path_factory.mktemp("indexes")
    engine = ProcessBench(60.0).engine(homes["0.9.0"])
    for name, source in (("index", tree), ("other", tree / "web")):
        assert engine.ask("build", source=source, index=folder / name)["ok"]
    return folder / "index", folder / "other"


def test_every_damage_is_refused_by_today_s_engine(homes, tree, tmp_path):
    """The cell ``integrity`` is green for an index of 0.9.0: all kinds of file, all damages, three doors."""
    stage = Stage(previous(homes["0.9.0"], tmp_path / "old"), todays(tmp_path / "new"), tree, tmp_path)
    found = stage.ask("integrity", RULES)
    assert found.verdict is Verdict.PASS, found
    assert found.documents > 100


@pytest.mark.parametrize("kind", SEGMENT_KINDS)
def test_an_engine_that_is_blind_to_one_kind_of_file_turns_integrity_red(two_indexes, tmp_path, kind):
    """Damage in each kind of file is found only because each is looked at: who does not look answers from it."""
    index, other = two_indexes
    look = "        _expect_whole(directory, path, manifest.files[path])\n"
    blind: Patches = {"manifest": {look: f"        if not path.endswith({kind!r}):\n    {look}"}}
    home = todays(tmp_path / "blind", blind)
    every = damages(read_index(index), read_index(other))
    some = [one for one in every if one.kind != "missing" and (one.file.endswith(kind) or one.kind == "empty")]
    seen = DamagedIndexes(home.command(WORKER), tmp_path).observe(index, [{"query": query} for query in QUERIES], some)
    answer = judge_integrity(seen)
    assert answer.verdict is Verdict.FAIL
    assert {kind_of(fault.split()[1]) for fault in answer.faults} == {kind}
