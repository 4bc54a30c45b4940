"""Records as tables for a terminal. Every cell says its verdict by a sign, not by colour alone."""

from collections.abc import Sequence

import pandas as pd
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lens_core.gates import alike
from lens_core.model import Answer, Measurement, Night, Verdict
from lens_core.views import VERDICT_SYMBOLS, slice_gates, sureness_table

_STYLES = {
    Verdict.PASS: "green",
    Verdict.WAIVED: "cyan",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "magenta",
    Verdict.FAIL: "bold red",
}
LEGEND = "   ".join(f"{VERDICT_SYMBOLS[v.name]} {v.name.lower()}" for v in Verdict) + "   · no answer"
_LABELS = {
    "slice_present": "present",
    "notebook": "notebook",
    "tail_ratio": "P99/P95",
    "p95_vs_baseline": "P95/base",
    "p99_vs_baseline": "P99/base",
    "recall_at_50": "R@50",
    "recall_at_50_vs_baseline": "R Δbase",
    "recall_at_50_nl": "R nl",
    "recall_at_50_sym": "R sym",
    "recall_at_50_ident": "R ident",
    "recall_at_50_symwords": "R symw",
    "recall_at_50_substr": "R substr",
    "ndcg_at_10_vs_baseline": "nDCG Δ",
    "span_coverage": "span",
    "error_rate": "errors",
    "cpu_share": "CPU",
    "memory_share": "memory",
}
_PRESENCE = ("slice_present", "notebook")
_COLUMNS_AT_ONCE = 9
# Wide enough for nine gates beside the slice's name, also where the output is no terminal.
WIDTH = 118


def console(*, stderr: bool = False) -> Console:
    """A console that never squeezes the tables, and wraps nothing when it is piped."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal or made.width < WIDTH:
        made = Console(stderr=stderr, highlight=False, width=WIDTH)
    return made


def doing(width: int) -> Progress:
    """Shows what is being done, on standard error: a moving line for each part, named in ``width`` columns."""
    columns = (SpinnerColumn(), TextColumn(f"{{task.fields[part]:{width}}}{{task.description}}"), TimeElapsedColumn())
    return Progress(*columns, console=console(stderr=True), transient=True)


class MovingLines:
    """The moving lines of ``doing``, and lines that stay above them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def at(self, part: str, line: str) -> None:
        """``part`` is doing what ``line`` says."""
        if part not in self._tasks:
            self._tasks[part] = self._progress.add_task("", part=part, total=None)
        self._progress.update(self._tasks[part], description=line)

    def over(self, part: str) -> None:
        """``part`` is done: its moving line goes."""
        if part in self._tasks:
            self._progress.remove_task(self._tasks.pop(part))

    def stay(self, line: str) -> None:
        """A line that stays."""
        self._progress.console.print(line, markup=False, soft_wrap=True)


def frame_table(frame: pd.DataFrame, folded: Sequence[str] = ()) -> Table:
    """A frame of words as a table; the columns ``folded`` break their lines where it gets too narrow."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in frame.columns:
        table.add_column(str(heading), no_wrap=heading not in folded, overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def verdict_text(verdict: Verdict | None) -> Text:
    """A verdict with its sign and colour; a night without one is still open."""
    if verdict is None:
        return Text("OPEN", style="yellow")
    return Text(f"{VERDICT_SYMBOLS[verdict.name]} {verdict.name}", style=_STYLES[verdict])


def _cell(answer: Answer | None) -> Text:
    if answer is None:
        return Text("·", style="dim")
    value = "" if answer.value is None or answer.gate in _PRESENCE else f" {answer.value:.3f}"
    return Text(f"{VERDICT_SYMBOLS[answer.verdict.name]}{value}", style=_STYLES[answer.verdict])


def gate_table(answers: Sequence[Answer], slices: Sequence[str]) -> RenderableType:
    """Slices × gates, nine gates a table; then the gates of the whole night."""
    by_place = {(a.slice, a.gate): a for a in answers}
    gates = slice_gates(answers)
    parts: list[RenderableType] = []
    for start in range(0, len(gates), _COLUMNS_AT_ONCE):
        chosen = gates[start : start + _COLUMNS_AT_ONCE]
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("slice", no_wrap=True)
        for gate in chosen:
            table.add_column(_LABELS.get(gate, gate), no_wrap=True)
        for name in slices:
            table.add_row(name, *(_cell(by_place.get((name, gate))) for gate in chosen))
        parts += [table, Text()]
    for answer in (a for a in answers if not a.slice):
        parts.append(Text.assemble(f"{answer.gate}: ", verdict_text(answer.verdict), f"  {answer.reason}"))
    parts.append(Text(LEGEND, style="dim"))
    return Group(*parts)


def sureness(measurements: Sequence[Measurement]) -> Table:
    """How sure the latencies are: each ratio with its bounds, n, power, and what was set aside."""
    frame = sureness_table(measurements).drop(columns="blocks")  # or it would be wider than WIDTH
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("slice", no_wrap=True)
    for heading in frame.columns:
        table.add_column(str(heading), no_wrap=True)
    for name, row in zip(frame.index, frame.itertuples(index=False), strict=True):
        table.add_row(str(name), *map(str, row))
    return table


def reasons_table(answers: Sequence[Answer]) -> RenderableType:
    """What does not pass, worst first; slices that one gate answers in the same words share a line."""
    held = sorted((a for a in answers if a.verdict is not Verdict.PASS), key=lambda a: -a.verdict.value)
    table = Table(box=None, header_style="bold", pad_edge=False)
    justify: JustifyMethod
    for heading in ("verdict", "slice", "gate", "n", "why"):
        justify = "right" if heading == "n" else "left"
        table.add_column(heading, no_wrap=heading != "why", overflow="fold", justify=justify)
    for group in alike(held):
        first, fewest = group[0], min(a.sample_count for a in group)
        where = f"{len(group)} slices" if len(group) > 1 else first.slice or "(night)"
        table.add_row(verdict_text(first.verdict), where, first.gate, f"{fewest:,}" if fewest else "", first.reason)
    return table


def answers_table(answers: Sequence[Answer]) -> Table:
    """Every answer of a candidate with its reason, in the order in which it was given."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("verdict", "gate", "n", "why"):
        table.add_column(heading, no_wrap=heading != "why", overflow="fold")
    for answer in answers:
        count = f"{answer.sample_count:,}" if answer.sample_count else ""
        table.add_row(verdict_text(answer.verdict), answer.gate, count, answer.reason)
    return table


def night_lines(night: Night) -> Text:
    """What a night is bound to."""
    candidate = night.candidate
    dirty = "  (dirty: the working tree held changes that are not in it)" if candidate.dirty else ""
    baseline = f"{night.baseline.version}  {night.baseline.digest}" if night.baseline else "none"
    return Text(
        f"night      {night.night_id}  ({len(night.slices)} slices, seed {night.seed}, "
        f"{night.duration_minutes:g} min of load)\n"
        f"candidate  {candidate.version}  {candidate.digest}\n"
        f"commit     {candidate.commit}{dirty}\n"
        f"baseline   {baseline}\n"
        f"policy     {night.policy_digest.short}   data set {night.dataset_digest.short}"
    )


def nights_table(nights: Sequence[Night]) -> Table:
    """One line a night, newest first."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("night", "verdict", "candidate", "digest", "slices", "why"):
        table.add_column(heading, no_wrap=heading != "why", overflow="fold")
    for night in nights:
        candidate = night.candidate
        dirty = " dirty" if candidate.dirty else ""
        table.add_row(
            night.night_id,
            verdict_text(night.verdict),
            candidate.version + dirty,
            candidate.digest.short,
            str(len(night.slices)),
            night.reason,
        )
    return table
