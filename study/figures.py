"""The study's figures as SVG, the same bytes from the same record; colours of Okabe and Ito, and a marker each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.characteristic import ALPHAS, POINT
from study.queues import RATE_PER_S
from study.record import Record, Share
from study.scenarios import AT_LIMIT, EVERYWHERE, FAMILIES, LIMIT, NOISY, RATIOS, Cell, Weather
from study.tables import AIMED_SHARE, DEMANDED_SHARE, FAIL, OPEN, PASS

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK = "#CC79A7", "#56B4E9", "#000000"
_COLOURS = (BLACK, BLUE, GREEN, SKY, RED, PURPLE)
_MARKERS = "osD^vP"
# Any, because matplotlib types every key of it.
_SETTINGS: Any = {
    "svg.hashsalt": "lens",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


def write(record: Record, folder: Path, names: Sequence[str] = ()) -> None:
    """Write the figures of these ``names`` into ``folder``, or every figure."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or _FIGURES:
        with mpl.rc_context(_SETTINGS):
            figure = _FIGURES[name](record)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})


def _figure(*titles: str, width: float = 10.0, height: float = 4.2) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    panels = [figure.add_subplot(1, len(titles), place) for place in range(1, len(titles) + 1)]
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
    return figure, panels


def _line(panel: Axes, xs: Sequence[float], shares: Sequence[Share], place: int, label: str, dashes: str = "-") -> None:
    """Shares in percent with their 95 % intervals."""
    values = [100 * share.value for share in shares]
    reach = [
        [100 * (share.value - share.interval[0]) for share in shares],
        [100 * (share.interval[1] - share.value) for share in shares],
    ]
    colour, marker = _COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)]
    panel.errorbar(
        xs, values, yerr=reach, color=colour, marker=marker, markersize=5, capsize=2, lw=1.6, ls=dashes, label=label
    )


def _demands(panel: Axes) -> None:
    panel.axhline(100 * DEMANDED_SHARE, color=RED, lw=1, ls="--", label=f"demanded: at most {DEMANDED_SHARE:.0%}")
    panel.axhline(100 * AIMED_SHARE, color=ORANGE, lw=1, ls=":", label=f"aimed at: {AIMED_SHARE:.0%}")


def _by_count(panel: Axes, counts: Sequence[int]) -> None:
    panel.set_xscale("log")
    panel.set_xticks(list(counts), [f"{count // 1000}k" for count in counts])
    panel.minorticks_off()
    panel.set_xlabel("requests to the candidate")


def _false_pass(record: Record) -> Figure:
    figure, (left, right) = _figure("the gate, truth exactly at the limit", "other methods, queued lognormal, Poisson")
    for place, name in enumerate(EVERYWHERE):
        found = record.cells(name)
        shares = [record.share(cell, "gate", PASS) for cell in found]
        _line(left, [cell.count for cell in found], shares, place, FAMILIES[name].title)
    hardest = record.cells(EVERYWHERE[-1])
    counts = [cell.count for cell in hardest]
    for place, (variant, alpha, label) in enumerate(
        (
            ("gate", None, "the gate"),
            ("binomial", 0.05, "binomial interval, 5 %, as if independent"),
            (POINT, None, "point gate"),
        )
    ):
        _line(right, counts, [record.share(cell, variant, PASS, alpha) for cell in hardest], place, label)
    for panel in (left, right):
        _demands(panel)
        _by_count(panel, counts)
        panel.set_ylim(bottom=0)
        panel.legend(loc="best")
    left.set_ylabel("false passes, %")
    return figure


def _curves(record: Record) -> Figure:
    figure, panels = _figure("independent latencies", "queued, 4 workers at a load of .7", height=4.6)
    for panel, kind in zip(panels, ("iid", "queued"), strict=True):
        by_count: dict[int, list[Cell]] = {}
        for cell in record.cells(*(f"{kind}-{ratio}" for ratio in RATIOS)):
            by_count.setdefault(cell.count, []).append(cell)
        whole = [(n, found) for n, found in sorted(by_count.items()) if len(found) == len(RATIOS)]
        for place, (count, found) in enumerate(whole, 1):
            for verdict, dashes in ((PASS, "-"), (FAIL, "--")):
                shares = [record.share(cell, "gate", verdict) for cell in found]
                label = f"{count // 1000}k {'passes' if verdict == PASS else 'fails'}"
                _line(panel, [cell.nominal for cell in found], shares, place, label, dashes)
        panel.axvline(LIMIT, color=BLACK, lw=1, ls=":")
        panel.set_xlabel("true P99 / P95 (the limit is 2)")
        panel.legend(loc="center left", ncols=1)
    panels[0].set_ylabel("runs, %")
    return figure


def _alphas(record: Record) -> Figure:
    figure, (left, right) = _figure("level that the gate is given", "what the guard does", width=10.5, height=5.0)
    found = {cell.candidate: cell for cell in record.cells(*AT_LIMIT)}
    for place, name in enumerate(AT_LIMIT):
        cell = found[name]
        shares = [record.share(cell, "gate", PASS, alpha) for alpha in ALPHAS]
        _line(left, [100 * alpha for alpha in ALPHAS], shares, place, FAMILIES[name].title)
    left.axvline(100 * record.rules.alpha, color=BLACK, lw=1, ls="-.", label="as shipped")
    _demands(left)
    left.set_xlabel("alpha of a side, over all looks, %")
    left.set_ylabel("false passes, %")
    left.set_ylim(bottom=0)
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=7.5)
    for offset, variant, colour, label in ((-0.2, "no guard", SKY, "without"), (0.2, "gate", BLUE, "with")):
        shares = [record.share(found[name], variant, PASS) for name in AT_LIMIT]
        places = [place + offset for place in range(len(AT_LIMIT))]
        right.barh(places, [100 * share.value for share in shares], height=0.38, color=colour, label=f"{label} guard")
    right.set_yticks(range(len(AT_LIMIT)), [FAMILIES[name].title.replace(", ", ",\n") for name in AT_LIMIT], fontsize=8)
    right.invert_yaxis()
    right.set_xlabel("false passes, %")
    right.axvline(100 * DEMANDED_SHARE, color=RED, lw=1, ls="--")
    right.legend(loc="upper right")
    return figure


def _pairs(record: Record, ours: str, variant: str, verdict: str) -> tuple[list[int], list[Share]]:
    found = record.cells(ours, paired=True)
    return [cell.count for cell in found], [record.share(cell, variant, verdict) for cell in found]


def _minutes(panel: Axes) -> None:
    top = panel.twiny()
    top.set_xlim(*(end * 2 / RATE_PER_S / 60 for end in panel.get_xlim()))
    top.set_xscale("log")
    ticks = [2, 5, 10, 20]
    top.set_xticks(ticks, [f"{tick} min" for tick in ticks])
    top.minorticks_off()
    top.grid(visible=False)
    top.spines["top"].set_visible(True)


def _tenth(record: Record) -> Figure:
    figure, panels = _figure("every tenth request × 6, independent", "every tenth request × 6, queued")
    for panel, kind in zip(panels, ("iid", "queued"), strict=True):
        lines = (
            ("gates 1.10", FAIL, "with P95 and P99 beside the baseline: fails"),
            ("ratio alone", PASS, "ratio gate alone: passes"),
        )
        for place, (variant, verdict, label) in enumerate(lines):
            counts, shares = _pairs(record, f"{kind}-tenth", variant, verdict)
            _line(panel, counts, shares, place + 1, label)
        _by_count(panel, counts)
        panel.set_ylim(-3, 104)
        panel.legend(loc="center right")
    panels[0].set_ylabel("runs, %")
    return figure


def _equal(record: Record) -> Figure:
    figure, panels = _figure("an equal candidate, independent\n\n", "an equal candidate, queued at .45\n\n", height=4.6)
    for panel, kind in zip(panels, ("iid", "queued"), strict=True):
        lines = (
            ("gates 1.10", PASS, "limit 1.10: passes", "-"),
            ("gates 1.05", PASS, "limit 1.05: passes", "-"),
            ("gates 1.10", FAIL, "limit 1.10: fails, wrongly", "--"),
            ("gates 1.05", FAIL, "limit 1.05: fails, wrongly", "--"),
        )
        for place, (variant, verdict, label, dashes) in enumerate(lines):
            counts, shares = _pairs(record, f"{kind}-healthy", variant, verdict)
            _line(panel, counts, shares, place + 1, label, dashes)
        _by_count(panel, counts)
        _minutes(panel)
        panel.set_ylim(-3, 104)
        panel.legend(loc="center right", bbox_to_anchor=(1, 0.3))
    panels[0].set_ylabel("runs, %")
    return figure


def _noise(record: Record) -> Figure:
    figure, panels = _figure(*(FAMILIES[name].title for name in NOISY), height=3.2, width=11)
    weathers = (Weather.INTERLEAVED, Weather.ONE_NOISY, Weather.BOTH_NOISY)
    for panel, name in zip(panels, NOISY, strict=True):
        left = [0.0] * len(weathers)
        for verdict, colour, hatch in ((PASS, BLUE, ""), (OPEN, "#dddddd", "//"), (FAIL, RED, "xx")):
            values = [
                100 * record.share(record.cells(name, weather=w, paired=True)[0], "gates 1.10", verdict).value
                for w in weathers
            ]
            panel.barh(range(3), values, left=left, color=colour, hatch=hatch, edgecolor="white", label=verdict)
            left = [a + b for a, b in zip(left, values, strict=True)]
        panel.invert_yaxis()
        panel.set_yticks(range(3), [weather.value.replace(", ", ",\n") for weather in weathers], fontsize=8.5)
        panel.set_xlabel("runs of an equal candidate, %")
        panel.grid(visible=False)
    panels[1].set_yticklabels([])
    panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
    return figure


_FIGURES = {
    "false-pass": _false_pass,
    "curves": _curves,
    "alphas": _alphas,
    "tenth": _tenth,
    "equal": _equal,
    "noise": _noise,
}
