"""The races against peers: each tool finds what it must, and a table never hides what it cannot do."""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench import peers, percentiles, sketches, tools
from bench.material import Material, cut
from bench.race import Result, run
from bench.report import NONE, figures, margin_lines, markdown_of, tables
from bench.turns import Contestant, Demand, Row, Section, less, take_turns, unsteady
from lens_core.model import QUERY_CLASSES, Hit
from lens_core.questions import SourceFile, derive_questions
from lens_core.truth import read_python, strip

SOURCES = {
    "store/keys.py": '''LIMIT_BYTES = 10


class KeyStore:
    """Holds the keys of all tenants."""

    def load_key(self, name):
        """Decode one stored secret for a caller.

        More.
        """
        return decode_base64(name, LIMIT_BYTES)

    def forget(self, name):
        def inner_step():
            return name
        return inner_step
''',
    "web/routes.py": '''def parseHTTPHeader(raw):
    """Split a raw header at its first colon.

    More.
    """
    name, value = raw.split(":")
    return name, value


def caller():
    return parsehttpheader, parseHTTPHeader("a:b")
''',
    "web/other.py": """def unrelated():
    return "colour"


def tenants_of(account):
    return account.tenants
""",
}
needs_ripgrep = pytest.mark.skipif(shutil.which("rg") is None, reason="ripgrep is not installed")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """The three files as a slice."""
    tree = tmp_path_factory.mktemp("tree")
    files = []
    for path, text in SOURCES.items():
        truth = read_python(path, text)
        files.append(SourceFile(path, text, strip(text, truth.documentation_spans), truth.documented))
        (tree / path).parent.mkdir(exist_ok=True)
        (tree / path).write_text(files[-1].stripped)
    questions = derive_questions(files, seed=7, per_class=20).questions
    chunks = cut(tree, (item.definition for file in files for item in file.documented))
    return Material("backend/python/small", "tiny 1", tree, chunks, questions)


@pytest.fixture(
    params=[name if name != "ripgrep" else pytest.param(name, marks=needs_ripgrep) for name in tools.MAKERS]
)
def tool(request: pytest.FixtureRequest, material: Material, tmp_path: Path) -> Iterator[tools.Tool]:
    """Each tool in turn."""
    made = tools.MAKERS[request.param](material, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def result(material: Material) -> Result:
    """A race of all tools but ripgrep, which is made to be absent."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tools.shutil, "which", lambda _name: None)
        finished = run(material, 2, said.append)
    assert said
    return finished


def places(tool: tools.Tool, query_class: str, text: str) -> list[tuple[str, str]]:
    """Path and symbol of the hits, or nothing for a class that the tool cannot answer."""
    if query_class not in tool.classes:
        return []
    return [(hit.path, hit.symbol) for hit in tool.ask(query_class, text)()]


def test_chunks_are_the_units_of_the_truth(material: Material) -> None:
    """A definition's chunk has its own lines only, and knows the definitions around it."""
    by_name = {chunk.unit.name: chunk for chunk in material.chunks}
    assert by_name["inner_step"].enclosing == ("KeyStore", "forget")
    assert by_name["forget"].enclosing == ("KeyStore",)
    assert by_name["parseHTTPHeader"].enclosing == ()
    assert by_name["forget"].text == "    def forget(self, name):\n        return inner_step"
    asked = {unit for question in material.questions for unit in question.relevant}
    assert asked <= {unit.unit_id for unit in material.units}


def test_the_tree_asks_every_class(material: Material) -> None:
    """The tiny tree is large enough for a question of each class."""
    assert {question.query_class for question in material.questions} == set(QUERY_CLASSES)


@pytest.mark.parametrize(
    ("query_class", "text", "wanted"),
    [
        ("nl", "first colon of a raw header", ("web/routes.py", "parseHTTPHeader")),
        ("sym", "load_key", ("store/keys.py", "load_key")),
        ("ident", "decode_base64", ("store/keys.py", "load_key")),
        ("ident", "LIMIT_BYTES", ("store/keys.py", "")),
        ("symwords", "parse http header", ("web/routes.py", "parseHTTPHeader")),
        ("substr", "arseht", ("web/routes.py", "parseHTTPHeader")),
    ],
)
def test_each_tool_finds_what_it_must(tool: tools.Tool, query_class: str, text: str, wanted: tuple[str, str]) -> None:
    """The right place is among the hits of every tool that can answer the class."""
    assert query_class not in tool.classes or wanted in places(tool, query_class, text)


@pytest.mark.parametrize("name", ["SQLite FTS5", "bm25s", pytest.param("ripgrep", marks=needs_ripgrep)])
def test_peers_prefer_the_very_case(material: Material, tmp_path: Path, name: str) -> None:
    """Among the chunks that hold a name in any case, a peer puts the one with the very name first."""
    tool = tools.MAKERS[name](material, tmp_path)
    assert places(tool, "ident", "parsehttpheader")[0] == ("web/routes.py", "caller")
    assert places(tool, "sym", "parseHTTPHeader")[0] == ("web/routes.py", "parseHTTPHeader")
    tool.close()


@pytest.mark.parametrize("text", ['say "it"', "x AND (y", "* NEAR", "a-b:c^2", "-e", "the of"])
def test_no_question_is_taken_for_syntax(tool: tools.Tool, text: str) -> None:
    """Quotes, operators and option letters in a question are text like any other."""
    for query_class in sorted(tool.classes):
        assert all(isinstance(hit, Hit) for hit in tool.ask(query_class, text)())


def test_what_a_tool_cannot_answer() -> None:
    """Only the classes that suit a tool are asked of it."""
    assert tools.Bm25sTool.classes.fget(None) == set(QUERY_CLASSES) - {"substr"}
    assert tools.RipgrepTool.classes.fget(None) == {"sym", "ident", "substr"}


@needs_ripgrep
def test_ripgrep_gives_each_chunk_once_and_by_path(material: Material, tmp_path: Path) -> None:
    """Lines become the chunks that own them, each once, in the order of their paths."""
    tool = tools.RipgrepTool(material, tmp_path)
    assert places(tool, "sym", "name") == [
        ("store/keys.py", "load_key"),
        ("store/keys.py", "forget"),
        ("store/keys.py", "inner_step"),
        ("web/routes.py", "parseHTTPHeader"),
    ]


def test_a_race_asks_only_what_can_be_answered(result: Result) -> None:
    """Every answerable question has a time in each pass and a score; the others have neither."""
    by_name = {standing.tool: standing for standing in result.standings}
    assert list(by_name) == list(tools.MAKERS)
    for number, question in enumerate(result.questions):
        answered = question.query_class != "substr"
        assert (question.question_id in by_name["bm25s"].scores) == answered
        assert all(math.isnan(times[number]) != answered for times in by_name["bm25s"].times_ms)
        assert question.question_id in by_name["Lens"].scores


def test_figures_compare_with_lens(result: Result) -> None:
    """Lens is measured against itself as 1, and an unanswerable class has no figures rather than zeros."""
    by_name = {tool.tool: tool for tool in figures(result).tools}
    assert by_name["Lens"].p50_ratio == 1
    assert set(by_name["bm25s"].classes) == set(QUERY_CLASSES) - {"substr"}
    for name in ("Lens", "SQLite FTS5"):
        assert by_name[name].classes["sym"].recall_at_50 == 1
    assert by_name["ripgrep"].absent.startswith("ripgrep (rg) is not on PATH")
    assert not by_name["ripgrep"].classes


def test_tables_say_what_is_missing(result: Result) -> None:
    """A class without an answer shows a dash, and so does every figure of a tool that is absent."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in markdown_of(figures(result)).splitlines()
        if line.startswith("|")
    ]
    whole = {row[0]: row for row in rows[: len(rows) // 2]}
    assert whole["bm25s"][-1] == NONE
    assert NONE not in whole["Lens"]
    assert set(whole["ripgrep (absent)"][1:]) == {NONE}
    by_class = {row[0]: row for row in rows[len(rows) // 2 :]}
    assert by_class["bm25s"][-1] == NONE
    assert "(×1.00)" in by_class["Lens"][1]


def test_a_terminal_shows_the_same(result: Result) -> None:
    """The tables for a terminal fit its usual width and name every tool."""
    console = Console(width=118, record=True, quiet=True)
    with console.capture() as shown:
        for table in tables(figures(result)):
            console.print(table)
    assert "…" not in shown.get()


def test_margins_are_of_the_peers_that_answered(result: Result) -> None:
    """The differences in prose questions name the peers that can answer prose."""
    lines = margin_lines(figures(result))
    assert [line.split("Lens − ")[1].split(":")[0] for line in lines] == ["SQLite FTS5", "bm25s"]


class TinyLibrary:
    """Stands for the catalogue and its cache."""

    made: Material

    def corpora(self, slices: tuple[str, ...]) -> tuple[object, ...]:
        """One stand-in a name."""
        return tuple(type("Corpus", (), {"slice": name, "name": "tiny", "version": "1"}) for name in slices)

    def material(self, corpus: object, seed: int, per_class: int) -> Material:
        """The tiny material, whatever is asked."""
        return self.made


def test_the_command_prints_tables_and_writes_figures(
    material: Material, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One run prints every tool on standard output and writes the same figures as JSON."""
    monkeypatch.setattr(TinyLibrary, "made", material, raising=False)
    monkeypatch.setattr(peers, "Library", TinyLibrary)
    file = tmp_path / "figures.json"
    done = CliRunner().invoke(peers.app, ["--passes", "1", "--slices", "a/b/c", "--json", str(file), "--markdown"])
    assert done.exit_code == 0, done.output
    written = json.loads(file.read_text())
    for tool in written["slices"][0]["tools"]:
        assert tool["tool"] in done.stdout
    assert written["settings"]["passes"] == 1
    assert "pass 1 of 1" in done.stderr
    assert "| --- |" in done.stdout


@pytest.mark.parametrize("slices", ["no/such/slice", ","])
def test_an_unknown_slice_is_refused(slices: str) -> None:
    """A slice that the catalogue lacks, or none at all, ends with exit code 2 and a hint."""
    done = CliRunner().invoke(peers.app, ["--slices", slices])
    assert done.exit_code == 2
    assert "hint:" in done.stderr


def test_figures_that_cannot_be_written_are_an_error(
    material: Material, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A JSON file in a folder that is not there ends with exit code 2, not with a traceback."""
    monkeypatch.setattr(TinyLibrary, "made", material, raising=False)
    monkeypatch.setattr(peers, "Library", TinyLibrary)
    file = tmp_path / "absent" / "figures.json"
    done = CliRunner().invoke(peers.app, ["--passes", "1", "--slices", "a/b/c", "--json", str(file)])
    assert done.exit_code == 2
    assert "cannot write" in done.stderr


def test_contestants_take_turns() -> None:
    """Each contestant runs once a repeat on what was prepared for it then, and another one begins each time."""
    seen: list[tuple[str, object]] = []
    made = iter(range(100))
    contestants = {
        name: Contestant(lambda given, name=name: seen.append((name, given)), 1e3, lambda: next(made), name)
        for name in "abc"
    }
    rows = take_turns(contestants, 3)
    assert "".join(name for name, _ in seen) == "abc" + "bca" + "cab"
    assert [given for _, given in seen] == list(range(9))
    assert [(row.name, len(row.figures), row.remark) for row in rows] == [(name, 3, name) for name in "abc"]
    assert all(figure >= 0 for row in rows for figure in row.figures)


def test_ratios_are_of_the_same_repeat() -> None:
    """A ratio is the median of the ratios within repeats: a burden on all of them cancels out."""
    ours, theirs = Row("ours", (1.0, 10.0, 2.0)), Row("theirs", (3.0, 30.0, 8.0))
    section = Section("t", "ms", (ours, theirs), ("ours",))
    assert section.ratio("theirs", "ours") == 3
    assert section.ratio("ours", "ours") == 1
    assert section.cells()[1] == ("theirs", "8.00", "3.00–30.0", "3.00", "")


def test_the_empty_loop_is_taken_off_within_its_repeat() -> None:
    """What a loop costs by itself is no part of a sample's price, and no price is negative."""
    rows = (Row("empty", (1.0, 5.0)), Row("a", (3.0, 6.0), "x"), Row("b", (0.5, 5.0)))
    assert less(rows, "empty") == (Row("a", (2.0, 1.0), "x"), Row("b", (0.0, 0.0)))


def test_a_floor_that_moves_is_said() -> None:
    """A floor that varies by more than one and a half is told of, a steady one is not."""
    assert unsteady(Row("floor", (2.0, 3.0))) is None
    assert "varied by 1.6×" in unsteady(Row("floor", (2.0, 3.2)))


@pytest.mark.parametrize(
    ("measured", "aim", "verdict"),
    [(17.9, 25, "NOT MET, aim not met"), (18, 25, "met, aim not met"), (25, 25, "met, aim met"), (18, None, "met")],
)
def test_a_demand_says_whether_it_is_met(measured: float, aim: float | None, verdict: str) -> None:
    """Demand and aim are told apart, and what is below is not called met."""
    assert Demand("this", measured, 18, aim).line().endswith(f"): {verdict}")


@pytest.mark.parametrize("write", [False, True])
def test_percentiles_are_raced_and_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write: bool) -> None:  # noqa: FBT001
    """A small race names every contestant and every demand, and writes the document only when told to."""
    monkeypatch.setattr(percentiles, "DOCUMENT", tmp_path / "percentiles.md")
    monkeypatch.setattr(sketches, "_RATE_PER_S", 20)
    options = ["--divide", "10000", "--repeats", "7", *(["--write"] if write else [])]
    done = CliRunner().invoke(percentiles.app, options)
    assert done.exit_code == 0, done.output
    names = ("compiled", "numpy only", "FINE", "polars", "pandas", "partition", "DDSketch .001", "REQ", "2 digits")
    assert all(name in done.stdout for name in names)
    assert done.stdout.count("wanted ≥") == 3
    assert "1,000 samples without the query" in done.stdout
    assert percentiles.DOCUMENT.exists() == write
    if write:
        assert percentiles.DOCUMENT.read_text().count("| --- |") == 5


def test_contestants_give_the_same_quantiles() -> None:
    """All that answer in bulk answer within a percent of numpy, REQ in rank: what is raced is the same work."""
    raced = sketches.bulk(20_000, 1000)
    parted, ordered = raced["numpy partition"].run(None), np.sort(sketches.latencies(20_000, seed=1))
    for p in sketches.QUANTILES:
        below = int(p * 19_999)
        assert parted[below : below + 2].tolist() == ordered[below : below + 2].tolist()
    exact = raced["numpy quantile"].run(None)
    for name in ("Lens, compiled", "Lens, numpy only", "Lens, compiled, FINE", "Lens, numpy only, FINE"):
        assert raced[name].run(None) == pytest.approx(exact, rel=0.0039)
    assert raced["pandas quantile"].run(None).to_list() == pytest.approx(list(exact))
    assert list(raced["polars, 5 quantiles"].run(None).row(0)) == pytest.approx(list(exact))
    assert raced["REQ k=12"].run(None) == pytest.approx(list(exact), rel=0.2)


def test_pairs_hold_what_they_were_given() -> None:
    """Merging sketches of each kind adds up their counts: none is raced on nothing."""
    kept = sketches.Kept(500)
    for name, contestant in kept.merges().items():
        into = contestant.prepare() if name.startswith("REQ") else kept.pairs[name][0]
        contestant.run(into)
        held = into.n if name.startswith("REQ") else into.total_count if name.startswith("Hdr") else into.count
        assert held == 500 * 101
