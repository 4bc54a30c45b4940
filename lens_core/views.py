"""Records → DataFrame, and numbers → words with units.

Command line, notebooks and portal show the same words because they take them from here. A value
that is absent is written ``no value``, never 0 and never blank; a slice that nobody answered for
is INCONCLUSIVE (first law).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import pandas as pd

from lens_core.model import QUERY_CLASSES, Answer, Interval, Measurement, Metric, Night, NightState, Verdict
from lens_core.series import limits_of

NO_VALUE = "no value"
OPEN = "OPEN"
"""What stands in the place of a verdict while a night still runs."""

NAMED_SLICES = 2
"""Up to so many slices are named in a line; more are counted."""
VERDICT_SYMBOLS = {"PASS": "✓", "WAIVED": "◇", "INCONCLUSIVE": "?", "ERROR": "!", "FAIL": "✕", OPEN: "…"}
VERDICT_WORDS = {
    "PASS": "passed",
    "WAIVED": "passed with waivers",
    "INCONCLUSIVE": "undecided, the evidence is not enough",
    "ERROR": "not judged, something broke",
    "FAIL": "failed",
    OPEN: "still running, no verdict yet",
}


class Unit(Enum):
    """How a number is written."""

    MILLISECONDS = "ms"
    SECONDS = "s"
    MEGABYTES = "MB"
    PER_SECOND = "per s"
    TIMES = "×"
    SHARE = "%"
    CHANGE = "± %"
    SCORE = "0 to 1"
    COUNT = "count"
    PLAIN = ""


@dataclass(frozen=True, slots=True)
class Term:
    """What a gate is called: ``label`` under its ``group`` heading, ``title`` alone, and what it means."""

    label: str
    title: str
    group: str
    meaning: str


GATE_TERMS = {
    "slice_present": Term("present", "Slice present", "Slice", "The slice was indexed, queried and measured."),
    "tail_ratio": Term("P99÷P95", "Tail ratio P99 ÷ P95", "Latency", "How far the slowest 1 % stand from the 5 %."),
    "p95_vs_baseline": Term("P95÷base", "P95 ÷ baseline P95", "Latency", "95 % of queries are faster than the P95."),
    "p99_vs_baseline": Term("P99÷base", "P99 ÷ baseline P99", "Latency", "99 % of queries are faster than the P99."),
    "recall_at_50": Term("all", "Recall@50, all queries", "Recall@50", "Share of right places in the first 50 hits."),
    "recall_at_50_vs_baseline": Term(
        "vs base",
        "Recall@50 against baseline",
        "Recall@50",
        "Change per query against the baseline release.",
    ),
    "recall_at_50_nl": Term(
        "sentence",
        "Recall@50, sentences (nl)",
        "Recall@50",
        "Queries that describe code in plain words.",
    ),
    "recall_at_50_sym": Term(
        "symbol", "Recall@50, symbols (sym)", "Recall@50", "Queries by a definition's exact name."
    ),
    "recall_at_50_ident": Term(
        "ident", "Recall@50, identifiers (ident)", "Recall@50", "Every use of an exact identifier."
    ),
    "recall_at_50_symwords": Term(
        "name words",
        "Recall@50, words of a name (symwords)",
        "Recall@50",
        "A definition's name, split into words.",
    ),
    "recall_at_50_substr": Term(
        "name part", "Recall@50, parts of a name (substr)", "Recall@50", "5 to 7 letters out of a name."
    ),
    "ndcg_at_10_vs_baseline": Term(
        "nDCG@10",
        "nDCG@10 against baseline",
        "Ranking",
        "Are the right places nearer the top of 10 than before?",
    ),
    "span_coverage": Term("span", "Span coverage", "Service", "Hits and definitions that agree on their lines."),
    "error_rate": Term("errors", "Error rate", "Service", "Requests without a good answer."),
    "cpu_share": Term("CPU", "CPU under sustained load", "Service", "Share of the cores that the service may use."),
    "memory_share": Term("memory", "Memory under sustained load", "Service", "Peak share of the memory budget."),
    "notebook": Term("notebook", "Notebook", "Slice", "The notebook ran to its end and wrote its verdict row last."),
    "report": Term("report", "Report", "Night", "The report over all slices was drawn."),
    "vulnerabilities": Term("vulnerabilities", "Vulnerabilities", "Night", "Critical and high findings in what ships."),
    "compatibility": Term("compatibility", "Compatibility", "Night", "Breaking changes against earlier versions."),
    "reproducible_build": Term("build", "Reproducible build", "Candidate", "Two builds of the commit, byte by byte."),
    "line_coverage": Term("lines", "Line coverage", "Candidate", "Share of the lines that the tests run."),
    "type_coverage": Term("types", "Type coverage", "Candidate", "Share of the expressions whose type is known."),
    "lint": Term("lint", "Lint", "Candidate", "What the linter finds in the source and does not let pass."),
    "sast_bandit": Term("bandit", "Source scan: bandit", "Candidate", "Weaknesses in the Python source."),
    "sast_ruff": Term("ruff", "Source scan: ruff", "Candidate", "Weaknesses in the Python source, by ruff's rules S."),
    "sast_detect_secrets": Term("secrets", "Source scan: detect-secrets", "Candidate", "Secrets in the source."),
    "sast_zizmor": Term("zizmor", "Source scan: zizmor", "Candidate", "Weaknesses in the workflows."),
    "sast_hadolint": Term("hadolint", "Source scan: hadolint", "Candidate", "Weaknesses in the Dockerfile."),
    "sast_semgrep": Term("semgrep", "Source scan: semgrep", "Candidate", "Weaknesses in the source, by patterns."),
    "image_smoke": Term("smoke", "Image: smoke run", "Candidate", "The image ran and answered queries."),
    "image_health": Term("health", "Image: health", "Candidate", "The image says of itself when it is healthy."),
    "image_confinement": Term("confined", "Image: confinement", "Candidate", "It runs read-only, without privileges."),
    "image_contents": Term("contents", "Image: contents", "Candidate", "Nothing is in the image that must not be."),
    "sbom": Term("SBOM", "SBOM", "Candidate", "The list of contents is valid and leaves no package out."),
    "file_ownership": Term("owners", "File ownership", "Candidate", "Every file of the image belongs to a package."),
    "dependency_audit": Term(
        "audit", "Dependency audit", "Candidate", "Known vulnerabilities of libraries, Debian's packages aside."
    ),
    "container_scan": Term("container", "Container scan", "Candidate", "Known vulnerabilities of Debian's packages."),
    "provenance": Term("provenance", "Provenance", "Candidate", "Where it was built, of what, signed: its SLSA level."),
    "migrations": Term("migrations", "Migrations", "Candidate", "Every way from an earlier version's index."),
}

_METRIC_TITLES = {
    "p50_ms": "P50 latency",
    "p90_ms": "P90 latency",
    "p95_ms": "P95 latency",
    "p99_ms": "P99 latency",
    "p999_ms": "P99.9 latency",
    "max_ms": "Slowest query",
    "ndcg_at_10": "nDCG@10",
    "service_p95_ms": "P95 from the real send",
    "service_p99_ms": "P99 from the real send",
    "send_lag_p99_ms": "P99 of the send lag",
    "achieved_rate_per_s": "Achieved rate",
    "set_aside_share": "Rounds set aside",
    "control_p99_ms": "P99 of the control",
    "baseline_p95_ms": "P95 of the baseline",
    "baseline_p99_ms": "P99 of the baseline",
    "hit_validity": "Hits whose lines are right",
    "definition_coverage": "Definitions listed",
    "rss_peak_mb": "Peak memory",
    "index_seconds": "Indexing",
    **{f"ndcg_at_10_{name}": f"nDCG@10, {name}" for name in QUERY_CLASSES},
}

_UNITS_BY_ENDING = (
    ("_vs_baseline", Unit.CHANGE),
    ("_ms", Unit.MILLISECONDS),
    ("_mb", Unit.MEGABYTES),
    ("_seconds", Unit.SECONDS),
    ("_per_s", Unit.PER_SECOND),
    ("_share", Unit.SHARE),
    ("_rate", Unit.SHARE),
    ("_coverage", Unit.SHARE),
    ("_validity", Unit.SHARE),
    ("_ratio", Unit.TIMES),
)
_COUNTS = (
    "slice_present",
    "vulnerabilities",
    "compatibility",
    "lint",
    "file_ownership",
    "dependency_audit",
    "container_scan",
)
_COUNTED = "sast_"
_SHARES = ("sbom", "image_smoke", "image_health", "image_confinement", "image_contents")


def term_of(gate: str) -> Term:
    """The words for ``gate``; an unknown gate is called by its own name."""
    plain = gate.replace("_", " ")
    return GATE_TERMS.get(gate, Term(plain, plain.capitalize(), "Other", ""))


def metric_title(name: str) -> str:
    """What people call the metric ``name``."""
    return _METRIC_TITLES.get(name) or term_of(name).title


def unit_of(name: str) -> Unit:
    """The unit that the name of a metric or gate implies."""
    if name in _COUNTS or name.startswith(_COUNTED):
        return Unit.COUNT
    if name in _SHARES:
        return Unit.SHARE
    if name in ("p95_vs_baseline", "p99_vs_baseline"):
        return Unit.TIMES
    if name.startswith(("recall_at", "ndcg_at")) and not name.endswith("_vs_baseline"):
        return Unit.SCORE
    return next((unit for ending, unit in _UNITS_BY_ENDING if name.endswith(ending)), Unit.PLAIN)


def format_ms(value: float | None) -> str:
    """Milliseconds with three digits that count: ``2.31 ms``, ``23.1 ms``, ``1,204 ms``."""
    if value is None or not math.isfinite(value):
        return NO_VALUE
    digits = next((digits for below, digits in ((10, 2), (100, 1)) if abs(value) < below), 0)
    return f"{value:,.{digits}f} ms"


def format_count(count: int) -> str:
    """A sample count: ``n = 1,500``."""
    return f"n = {count:,}"


def format_value(name: str, value: float | None) -> str:
    """The value of the metric or gate ``name`` with its unit: ``2.31 ms``, ``0.953``, ``64.1 %``."""
    if value is None or not math.isfinite(value):
        return NO_VALUE
    unit = unit_of(name)
    return _WRITTEN[unit](value) if unit in _WRITTEN else f"{value:,.1f} {unit.value}"


def format_share(share: float) -> str:
    """A share as per cent: ``17.4 %``."""
    return _percent(share, "")


def format_change(share: float) -> str:
    """A relative change as per cent with its sign: ``+20.3 %``, ``−4.0 %``."""
    return _percent(share, "+")


def _percent(share: float, plus: str) -> str:
    """A share as per cent, with enough digits that a small error rate does not read as nothing."""
    percent = share * 100
    digits = 1 if percent == 0 or abs(percent) >= 1 else 2
    text = f"{percent:{plus}.{digits}f} %"
    return text.replace("-", "−")


_WRITTEN: dict[Unit, Callable[[float], str]] = {
    Unit.MILLISECONDS: format_ms,
    Unit.TIMES: "{:.2f}×".format,
    Unit.SHARE: format_share,
    Unit.CHANGE: format_change,
    Unit.SCORE: "{:.3f}".format,
    Unit.COUNT: "{:,.0f}".format,
    Unit.PLAIN: "{:,.4g}".format,
}


def format_threshold(answer: Answer) -> str:
    """The rule that the answer was judged by: ``≤ 2.00×``; ``no threshold`` when it had none."""
    if answer.threshold is None:
        return "no threshold"
    return f"{answer.sign} {format_value(answer.gate, answer.threshold)}".strip()


def format_interval(name: str, interval: Interval | None) -> str:
    """The bounds of the metric or gate ``name``: ``1.21× to 1.38×``; ``no interval`` without them."""
    if interval is None:
        return "no interval"
    return f"{format_value(name, interval.low)} to {format_value(name, interval.high)}"


def format_power(interval: Interval | None) -> str:
    """How surely the run would have failed a service 10 % beyond the limit, as a share."""
    return "" if interval is None else f"{interval.power:.0%}"


def night_verdict(night: Night) -> str:
    """The verdict's name, ``OPEN`` while the night runs; a closed night without one is INCONCLUSIVE."""
    if night.state is NightState.OPEN:
        return OPEN
    return night.verdict.name if night.verdict else Verdict.INCONCLUSIVE.name


def night_title(night: Night) -> str:
    """The night as people say it: ``24 November 2026``, with the attempt when it was not the first."""
    day = f"{night.night_date.day} {night.night_date:%B %Y}"
    return day if night.attempt == 1 else f"{day}, attempt {night.attempt}"


def answers_in_words(answers: Sequence[Answer]) -> str:
    """How many answers there are of each verdict, worst first: ``20 answers: 1 FAIL, 19 PASS``."""
    counts = Counter(answer.verdict for answer in answers)
    parts = [f"{counts[v]} {v.name}" for v in sorted(Verdict, key=lambda v: -v.value) if counts[v]]
    return f"{len(answers)} answers: {', '.join(parts)}." if answers else "No gate has answered."


def answers_frame(answers: Iterable[Answer]) -> pd.DataFrame:
    """A row per answer, in the order given. An absent value is NaN, an absent slice ``whole night``."""
    rows = [
        (
            answer.gate,
            answer.slice or "whole night",
            answer.verdict.name,
            answer.reason,
            answer.value,
            answer.threshold,
            answer.sample_count,
            answer.evidence,
        )
        for answer in answers
    ]
    columns = ["gate", "slice", "verdict", "reason", "value", "threshold", "sample_count", "evidence"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"value": "float64", "threshold": "float64", "sample_count": "int64"})


def slice_gates(answers: Iterable[Answer]) -> list[str]:
    """The gates that were asked of slices: whether it was measured first, then as they first answered."""
    asked = dict.fromkeys(answer.gate for answer in answers if answer.slice)
    first = [gate for gate in ("slice_present", "notebook") if gate in asked]
    return [*first, *(gate for gate in asked if gate not in first)] or ["slice_present"]


def verdict_matrix(answers: Sequence[Answer], slices: Sequence[str]) -> pd.DataFrame:
    """Slices × gates, cells verdict names; where nobody answered the cell is INCONCLUSIVE.

    The rows are ``slices`` and whatever else answered. Of several answers the worst counts.
    """
    index = list(dict.fromkeys([*slices, *(answer.slice for answer in answers if answer.slice)]))
    gates = slice_gates(answers)
    given: dict[tuple[str, str], list[Verdict]] = {}
    for answer in answers:
        given.setdefault((answer.slice, answer.gate), []).append(answer.verdict)
    cells = [[Verdict.worst(given.get((name, gate), ())).name for gate in gates] for name in index]
    return pd.DataFrame(cells, index=pd.Index(index, name="slice"), columns=pd.Index(gates, name="gate"))


def reasons(answers: Iterable[Answer]) -> pd.DataFrame:
    """The answers that are not PASS, worst first, else in the order given (waived ones come last)."""
    not_passed = [answer for answer in answers if answer.verdict is not Verdict.PASS]
    return answers_frame(sorted(not_passed, key=lambda answer: -answer.verdict.value))


def reason_groups(answers: Iterable[Answer]) -> pd.DataFrame:
    """The rows of ``reasons``, one for all slices that one gate answers with the same words.

    ``slices`` holds their names; so twelve slices that lack the same thing are said once.
    """
    frame = reasons(answers)
    keys = ["verdict", "gate", "reason"]
    grouped = frame.groupby(keys, sort=False, as_index=False).agg(slices=("slice", list))
    return grouped[[*keys, "slices"]]


def reason_table(answers: Iterable[Answer]) -> pd.DataFrame:
    """``reason_groups`` as words to be read: many slices by their number, gates by their titles."""
    groups = reason_groups(answers)
    where = [", ".join(names) if len(names) <= NAMED_SLICES else f"{len(names)} slices" for names in groups["slices"]]
    return pd.DataFrame(
        {
            "verdict": [f"{VERDICT_SYMBOLS[v]} {v}" for v in groups["verdict"]],
            "where": where,
            "gate": [term_of(gate).title for gate in groups["gate"]],
            "why": groups["reason"],
        }
    )


def answer_table(answers: Iterable[Answer]) -> pd.DataFrame:
    """Answers as words: gate, verdict, value, interval and threshold with units, count, power and reason.

    ``power`` is how surely the run would have failed a service 10 % beyond the limit.
    """
    listed = list(answers)
    return pd.DataFrame(
        {
            "gate": [term_of(a.gate).title for a in listed],
            "verdict": [f"{VERDICT_SYMBOLS[a.verdict.name]} {a.verdict.name}" for a in listed],
            "value": [format_value(a.gate, a.value) for a in listed],
            "interval": [format_interval(a.gate, a.interval) if a.interval else "" for a in listed],
            "threshold": [format_threshold(a) for a in listed],
            "n": [f"{a.sample_count:,}" for a in listed],
            "power": [format_power(a.interval) for a in listed],
            "why": [a.reason for a in listed],
        }
    )


def metric_table(measurement: Measurement) -> pd.DataFrame:
    """Every metric of one slice as words with units, its interval where it has one, and its sample count."""
    return pd.DataFrame(
        {
            "metric": [metric_title(m.name) for m in measurement.metrics],
            "value": [format_value(m.name, m.value) for m in measurement.metrics],
            "interval": [format_interval(m.name, m.interval) if m.interval else "" for m in measurement.metrics],
            "n": [f"{m.sample_count:,}" for m in measurement.metrics],
        }
    )


_RATIOS = ("tail_ratio", "p95_vs_baseline", "p99_vs_baseline")


def sureness_table(
    measurements: Iterable[Measurement], aside: Mapping[str, Mapping[int, str]] | None = None
) -> pd.DataFrame:
    """Slices × how sure their latencies are: each ratio with its bounds, n, blocks, power, what was set aside.

    Bounds hold together with the confidence that the answers name; why a run is no measurement is
    their reason. ``aside`` adds, by slice, why the first round was set aside.
    """
    rows = {}
    for item in measurements:
        interval = item.get("tail_ratio").interval
        rows[item.slice] = [
            f"{item.get('tail_ratio').sample_count:,}",
            str(interval.blocks) if interval else "",
            *(_with_bounds(item.get(name)) for name in _RATIOS),
            format_power(interval),
            format_value("set_aside_share", item.get("set_aside_share").value) + _first_reason(aside, item.slice),
            "no" if item.invalid else "yes",
        ]
    columns = ["n", "blocks", "P99÷P95", "P95÷base", "P99÷base", "power", "set aside", "valid"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("slice")


def _first_reason(aside: Mapping[str, Mapping[int, str]] | None, name: str) -> str:
    reasons = list((aside or {}).get(name, {}).values())
    return f": {reasons[0]}" + (f", and {len(reasons) - 1} more" if len(reasons) > 1 else "") if reasons else ""


def _with_bounds(metric: Metric) -> str:
    if metric.value is None:
        return "·"
    bounds = f" ({metric.interval.low:.3g}–{metric.interval.high:.3g})" if metric.interval else ""
    return f"{metric.value:.3g}{bounds}"


def set_aside_table(reasons_by_round: Mapping[int, str]) -> pd.DataFrame:
    """The rounds that do not count, and why, in their order; one row that says so when there are none."""
    if not reasons_by_round:
        return pd.DataFrame({"round": ["none"], "why": ["the control never stalled"]})
    return pd.DataFrame({"round": [str(n) for n in reasons_by_round], "why": list(reasons_by_round.values())})


class Page:
    """A table as a notebook shows it to people: no index, nothing cut off."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None, "display.max_rows", None):
            named = self._table.reset_index() if self._table.index.name is not None else self._table
            return str(named.to_html(index=False, border=0))


def recomputed_verdict(night: Night, answers: Sequence[Answer]) -> Verdict:
    """The worst of what was answered; a slice of the night that nobody answered for is INCONCLUSIVE."""
    answered = {answer.slice for answer in answers}
    absent = [Verdict.INCONCLUSIVE for name in night.slices if name not in answered]
    return Verdict.worst([*(answer.verdict for answer in answers), *absent])


def measurement_table(measurements: Iterable[Measurement], names: Sequence[str]) -> pd.DataFrame:
    """Slices × the metrics ``names``, as words with units, to be read by people."""
    rows = {item.slice: [format_value(name, item.get(name).value) for name in names] for item in measurements}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[metric_title(name) for name in names])
    return table.rename_axis("slice")


def trend_frame(
    nights: Iterable[Night], measurements: Mapping[str, Sequence[Measurement]], names: Sequence[str]
) -> pd.DataFrame:
    """Long format, oldest night first: a row per night, slice and metric of ``names``.

    ``measurements`` are keyed by night id. Where a night has not measured one of its slices the row
    stands with NaN, so that a chart shows the gap and does not bridge it.
    """
    rows = []
    for night in sorted(nights, key=lambda item: (item.night_date, item.attempt)):
        verdict, day = night_verdict(night), pd.Timestamp(night.night_date)
        measured = {item.slice: item for item in measurements.get(night.night_id, ())}
        for slice_name in dict.fromkeys([*night.slices, *measured]):
            found = {m.name: m for m in measured[slice_name].metrics} if slice_name in measured else {}
            for name in names:
                metric = found.get(name)
                value, count = (metric.value, metric.sample_count) if metric else (None, 0)
                rows.append((day, night.night_id, slice_name, name, value, count, verdict, night.candidate.version))
    columns = ["night_date", "night_id", "slice", "metric", "value", "sample_count", "verdict", "candidate"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"night_date": "datetime64[s]", "value": "float64", "sample_count": "int64"})


def latency_limits(
    metric: str, answers: Iterable[Answer], measurements: Iterable[Measurement] = ()
) -> dict[str, float]:
    """The threshold of ``metric`` for each slice, as the gates of one night drew it.

    For ``p95_ms`` and ``p99_ms`` the gate allows a multiple of the baseline's own figure, which the
    night's ``measurements`` hold. A slice without one is left out: no line is better than an invented one.
    """
    return {name: limit.value for name, limit in limits_of(metric, answers, measurements).items()}


def latest_frame(trend: pd.DataFrame, metric: str, slices: Sequence[str], nights: int = 30) -> pd.DataFrame:
    """A row per slice for one metric: the newest value, its count, the median before it, and a short history.

    ``change`` is the newest value against the median of the up to ``nights`` nights before it (NaN
    without one); ``history`` holds those values and the newest, for a sparkline.
    """
    chosen = trend[trend["metric"] == metric]
    rows = []
    for slice_name in slices:
        part = chosen[chosen["slice"] == slice_name].tail(nights + 1)
        values = part["value"].tolist()
        newest = values[-1] if values else math.nan
        before = pd.Series(values[:-1], dtype="float64").median() if len(values) > 1 else math.nan
        change = newest / before - 1 if before else math.nan
        count = int(part["sample_count"].iloc[-1]) if values else 0
        night_id = str(part["night_id"].iloc[-1]) if values else ""
        rows.append((slice_name, newest, count, before, change, values, night_id))
    return pd.DataFrame(rows, columns=["slice", "value", "sample_count", "median", "change", "history", "night_id"])
