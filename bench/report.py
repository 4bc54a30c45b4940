"""What a race came to: figures for a program, and tables for a terminal or a document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from bench.race import Result, Standing
from lens_core.model import QUERY_CLASSES

NONE = "–"
_NORMAL_95 = 1.96
_HEADINGS = ("tool", "build s", "p50 ms", "p95 ms", "p99 ms", "p50 ÷ Lens")
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One tool and one class of question; ``p50_ratio`` as in ``ToolFigures``."""

    questions: int
    recall_at_50: float
    ndcg_at_10: float
    p50_ms: float
    p50_ratio: float


@dataclass(frozen=True, slots=True)
class ToolFigures:
    """One tool on one slice; a class that it cannot answer is missing from ``classes``.

    ``p50_ratio`` is the median over the passes of its p50 divided by Lens's on the same questions.
    """

    tool: str
    build_s: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p50_ratio: float | None
    classes: Mapping[str, ClassFigures]
    absent: str


@dataclass(frozen=True, slots=True)
class Margin:
    """How much better Lens answers ``query_class`` than a peer, on average, and half of the 95 % interval."""

    peer: str
    query_class: str
    measure: str
    difference: float
    half_width: float


@dataclass(frozen=True, slots=True)
class SliceFigures:
    """All figures of one slice."""

    slice: str
    corpus: str
    chunk_count: int
    tools: tuple[ToolFigures, ...]
    margins: tuple[Margin, ...]


def figures(result: Result) -> SliceFigures:
    """The figures of one race; Lens is its first standing."""
    lens = result.standings[0]
    tools = tuple(_tool_figures(result, standing, lens) for standing in result.standings)
    margins = tuple(margin for standing in result.standings[1:] for margin in _margins(result, lens, standing, "nl"))
    return SliceFigures(result.slice, result.corpus, result.chunk_count, tools, margins)


def _tool_figures(result: Result, standing: Standing, lens: Standing) -> ToolFigures:
    if standing.absent:
        return ToolFigures(standing.tool, None, None, None, None, None, {}, standing.absent)
    asked = ~np.isnan(standing.times_ms[0])
    p50, p95, p99 = np.percentile(standing.times_ms[:, asked], (50, 95, 99))
    classes = {}
    for name in QUERY_CLASSES:
        numbers = [n for n, question in enumerate(result.questions) if question.query_class == name and asked[n]]
        if numbers:
            scores = [standing.scores[result.questions[n].question_id] for n in numbers]
            classes[name] = ClassFigures(
                len(numbers),
                float(np.mean([item.recall_at_50 for item in scores])),
                float(np.mean([item.ndcg_at_10 for item in scores])),
                float(np.median(standing.times_ms[:, numbers])),
                _ratio(standing, lens, numbers),
            )
    ratio = _ratio(standing, lens, np.flatnonzero(asked).tolist())
    return ToolFigures(standing.tool, standing.build_s, float(p50), float(p95), float(p99), ratio, classes, "")


def _ratio(standing: Standing, lens: Standing, numbers: Sequence[int]) -> float:
    mine = np.median(standing.times_ms[:, numbers], axis=1)
    return float(np.median(mine / np.median(lens.times_ms[:, numbers], axis=1)))


def _margins(result: Result, lens: Standing, peer: Standing, query_class: str) -> list[Margin]:
    ids = [q.question_id for q in result.questions if q.query_class == query_class and q.question_id in peer.scores]
    if len(ids) < _FEWEST:
        return []
    margins = []
    for measure in ("recall_at_50", "ndcg_at_10"):
        gains = np.array([getattr(lens.scores[i], measure) - getattr(peer.scores[i], measure) for i in ids])
        half = _NORMAL_95 * float(gains.std(ddof=1)) / len(ids) ** 0.5
        margins.append(Margin(peer.tool, query_class, measure, float(gains.mean()), half))
    return margins


def number(value: float | None) -> str:
    """Three digits or so, a dash for nothing."""
    if value is None:
        return NONE
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"  # noqa: PLR2004


def _share(value: float) -> str:
    return "1" if value == 1 else f"{value:.3f}".removeprefix("0")


def _rows(slice_figures: SliceFigures) -> list[tuple[str, ...]]:
    rows = []
    for tool in slice_figures.tools:
        shares = (tool.classes.get(name) for name in QUERY_CLASSES)
        rows.append(
            (
                f"{tool.tool} (absent)" if tool.absent else tool.tool,
                *map(number, (tool.build_s, tool.p50_ms, tool.p95_ms, tool.p99_ms, tool.p50_ratio)),
                *(f"{_share(s.recall_at_50)}/{_share(s.ndcg_at_10)}" if s else NONE for s in shares),
            )
        )
    return rows


def _class_rows(slice_figures: SliceFigures) -> list[tuple[str, ...]]:
    return [
        (
            f"{tool.tool} (absent)" if tool.absent else tool.tool,
            *(
                f"{number(s.p50_ms)} (×{number(s.p50_ratio)})" if (s := tool.classes.get(name)) else NONE
                for name in QUERY_CLASSES
            ),
        )
        for tool in slice_figures.tools
    ]


def title(slice_figures: SliceFigures) -> str:
    """Which slice this is, and how large."""
    counts = {tool.tool: sum(c.questions for c in tool.classes.values()) for tool in slice_figures.tools}
    return (
        f"{slice_figures.slice} ({slice_figures.corpus}): {slice_figures.chunk_count:,} chunks, "
        f"{max(counts.values(), default=0)} questions"
    )


_CLASS_HEADINGS = ("p50 ms (× Lens) by class", *QUERY_CLASSES)
_QUALITY_HEADINGS = tuple(f"{name} R/nDCG" for name in QUERY_CLASSES)


def tables(slice_figures: SliceFigures) -> tuple[Table, Table]:
    """Two tables for a terminal: everything, and the p50 by class."""
    whole = terminal_table((*_HEADINGS, *QUERY_CLASSES), _rows(slice_figures))
    whole.title = f"{title(slice_figures)}\nby class: Recall@50/nDCG@10"
    return whole, terminal_table(_CLASS_HEADINGS, _class_rows(slice_figures))


def terminal_table(headings: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    """A table as wide as it needs; every column but the first is one of figures."""
    table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def markdown_of(slice_figures: SliceFigures) -> str:
    """The same two tables for a document."""
    parts = [
        f"**{title(slice_figures)}**",
        markdown_table((*_HEADINGS, *_QUALITY_HEADINGS), _rows(slice_figures)),
        markdown_table(_CLASS_HEADINGS, _class_rows(slice_figures)),
    ]
    return "\n\n".join(parts)


def markdown_table(headings: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """The same table for a document."""
    rule = ("---", *("---:" for _ in headings[1:]))
    return "\n".join("| " + " | ".join(row) + " |" for row in (headings, rule, *rows))


def margin_lines(slice_figures: SliceFigures) -> list[str]:
    """How sure the differences of the hardest class are, one line a peer."""
    by_peer: dict[str, list[str]] = {}
    for margin in slice_figures.margins:
        label = {"recall_at_50": "Recall@50", "ndcg_at_10": "nDCG@10"}[margin.measure]
        by_peer.setdefault(margin.peer, []).append(f"{label} {margin.difference:+.3f} ± {margin.half_width:.3f}")
    return [
        f"{slice_figures.slice} nl, Lens − {peer}: {', '.join(parts)} (paired, 95 %)" for peer, parts in by_peer.items()
    ]
