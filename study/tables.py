"""The tables of ``docs/latency-study.md``, made from a record; the words around them are written by people."""

from collections.abc import Callable, Sequence
from pathlib import Path

from study.characteristic import ALPHAS, BASELINE_LIMITS, POINT
from study.queues import RATE_PER_S
from study.record import Record, Share
from study.scenarios import AT_LIMIT, DEMANDED, EVERYWHERE, FAMILIES, NOISY, RATIOS, Cell, Weather

DEMANDED_SHARE, AIMED_SHARE = 0.07, 0.05
NONE = "–"

# What is usually taken for an interval when nobody thinks of queues.
_TEXTBOOK = 0.05

PASS, OPEN, FAIL = "PASS", "INCONCLUSIVE", "FAIL"


def renew(record: Record, page: Path) -> None:
    """Put every table between its markers; a page that does not exist yet gets the tables alone."""
    blank = "\n\n".join(f"{_begin(name)}\n{_end(name)}" for name in TABLES) + "\n"
    text = page.read_text(encoding="utf-8") if page.exists() else blank
    for name, table in TABLES.items():
        before, begin, rest = text.partition(_begin(name))
        _, end, after = rest.partition(_end(name))
        if not (begin and end):
            raise ValueError(f"{page.name} has no place for the table {name}")
        text = f"{before}{begin}\n{table(record)}\n{end}{after}"
    page.write_text(text, encoding="utf-8")


def _begin(name: str) -> str:
    return f"<!-- {name}: begin -->"


def _end(name: str) -> str:
    return f"<!-- {name}: end -->"


def percent(share: Share, *, sure: bool = False) -> str:
    """``4.2 %``, with the 95 % interval if ``sure``."""
    low, high = (100 * bound for bound in share.interval)
    return f"{100 * share.value:.1f} %" + (f" ({low:.1f}–{high:.1f})" if sure else "")


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ruler, *rows))


def _most(record: Record, families: Sequence[str]) -> list[Cell]:
    """The cell with the most samples of each family."""
    found = {cell.candidate: cell for cell in record.cells(*families)}
    return [found[name] for name in families]


def demand(record: Record) -> str:
    """Whether the demand is met: at most 7 % false passes in each queued family, 5 % aimed at."""
    lines = []
    for cell in _most(record, DEMANDED):
        share = record.share(cell, "gate", PASS)
        word = "met" if share.value <= DEMANDED_SHARE else "NOT MET"
        aim = "aim reached" if share.value <= AIMED_SHARE else "aim missed"
        lines.append(
            f"- {FAMILIES[cell.candidate].title}: {percent(share, sure=True)} of {share.trials:,} runs of "
            f"{cell.count:,} requests passed: **{word}**, {aim}"
        )
    asked = f"At most {100 * DEMANDED_SHARE:.0f} % false passes are demanded, {100 * AIMED_SHARE:.0f} % aimed at."
    return "\n".join([asked, "", *lines])


def _at_limit(record: Record) -> str:
    rows = []
    for cell in _most(record, AT_LIMIT):
        shares = [record.share(cell, "gate", verdict) for verdict in (PASS, FAIL)]
        rows.append(
            [
                FAMILIES[cell.candidate].title,
                *(percent(share, sure=True) for share in shares),
                percent(record.share(cell, "no guard", PASS)),
                percent(record.share(cell, "binomial", PASS)),
                percent(record.share(cell, "binomial", PASS, _TEXTBOOK)),
                percent(record.share(cell, POINT, PASS)),
            ]
        )
    level = f"{100 * record.rules.alpha:g} %"
    return _rows(
        ["family", "false pass", "false fail", "without guard", f"binomial {level}", "binomial 5 %", "point gate"], rows
    )


def _counts(record: Record) -> str:
    rows = []
    for name in EVERYWHERE:
        for cell in record.cells(name):
            passed, failed = (record.share(cell, "gate", verdict) for verdict in (PASS, FAIL))
            binomial, point = record.share(cell, "binomial", PASS, _TEXTBOOK), record.share(cell, POINT, PASS)
            rows.append(
                [
                    FAMILIES[name].title,
                    f"{cell.count:,}",
                    percent(passed, sure=True),
                    percent(failed, sure=True),
                    percent(binomial),
                    percent(point),
                ]
            )
    return _rows(["family", "n", "false pass", "false fail", "binomial 5 %", "point gate"], rows)


def _alphas(record: Record) -> str:
    rows = [
        [
            FAMILIES[cell.candidate].title,
            *(
                " / ".join(percent(record.share(cell, "gate", verdict, alpha)) for verdict in (PASS, FAIL))
                for alpha in ALPHAS
            ),
        ]
        for cell in _most(record, AT_LIMIT)
    ]
    return _rows(["false pass / false fail", *(f"α {100 * alpha:g} %" for alpha in ALPHAS)], rows)


def _three(record: Record, cell: Cell, variant: str) -> str:
    return " / ".join(f"{100 * record.share(cell, variant, verdict).value:.0f}" for verdict in (PASS, OPEN, FAIL))


def _curves(record: Record) -> str:
    rows = []
    for kind in ("iid", "queued"):
        by_count: dict[int, dict[float, Cell]] = {}
        for cell in record.cells(*(f"{kind}-{ratio}" for ratio in RATIOS)):
            by_count.setdefault(cell.count, {})[cell.nominal] = cell
        rows += [
            [
                f"{'independent' if kind == 'iid' else 'queued'}, {count:,}",
                *(_three(record, found[ratio], "gate") for ratio in RATIOS),
            ]
            for count, found in sorted(by_count.items())
            if len(found) == len(RATIOS)
        ]
    return _rows(["pass / open / fail, %", *(f"{ratio:g}" for ratio in RATIOS)], rows)


def _beside(record: Record, ours: str, theirs: str) -> list[list[str]]:
    return [
        [
            f"{FAMILIES[theirs].title}, {cell.count:,}",
            f"{2 * cell.count / RATE_PER_S / 60:.1f}",
            *(_three(record, cell, f"gates {limit:.2f}") for limit in BASELINE_LIMITS),
            _three(record, cell, "ratio alone"),
        ]
        for cell in record.cells(ours, paired=True)
        if cell.baseline == theirs
    ]


_BESIDE_HEAD = (
    "pass / open / fail, %",
    "minutes",
    *(f"all gates, {limit:.2f}" for limit in BASELINE_LIMITS),
    "ratio gate alone",
)


def _tenth(record: Record) -> str:
    rows = [row for kind in ("iid", "queued") for row in _beside(record, f"{kind}-tenth", f"{kind}-healthy")]
    return _rows(_BESIDE_HEAD, rows)


def _equal(record: Record) -> str:
    rows = [row for kind in ("iid", "queued") for row in _beside(record, f"{kind}-healthy", f"{kind}-healthy")]
    return _rows(_BESIDE_HEAD, rows)


def _noise(record: Record) -> str:
    rows = [
        [
            f"{FAMILIES[name].title}; {weather.value}",
            *(_three(record, cell, f"gates {limit:.2f}") for limit in BASELINE_LIMITS),
        ]
        for name in NOISY
        for weather in (Weather.INTERLEAVED, Weather.ONE_NOISY, Weather.BOTH_NOISY)
        for cell in record.cells(name, weather=weather, paired=True)
    ]
    return _rows(["pass / open / fail, %", *(f"all gates, {limit:.2f}" for limit in BASELINE_LIMITS)], rows)


def _truths(record: Record) -> str:
    rows = []
    for name, truth in record.truths.items():
        family = FAMILIES[name]
        if not truth.log_error:
            continue
        slow = f"× {family.slow_factor:g}" if family.slow_share else NONE
        rows.append([family.title, slow, f"{truth.ratio:.4f}", f"± {196 * truth.log_error:.2f} %"])
    return _rows(["family", "slow path", "true P99 / P95", "95 %"], sorted(rows))


TABLES: dict[str, Callable[[Record], str]] = {
    "demand": demand,
    "at the limit": _at_limit,
    "counts": _counts,
    "alphas": _alphas,
    "curves": _curves,
    "tenth": _tenth,
    "equal": _equal,
    "noise": _noise,
    "truths": _truths,
}
"""What stands between which markers."""
