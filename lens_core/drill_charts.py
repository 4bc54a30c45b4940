"""The drill's matrix as a figure: previous versions × cells, each with its sign and colour."""

import pandas as pd
import plotly.graph_objects as go

from lens_core.charts import VERDICT_COLOURS, make_figure, nothing_drawn
from lens_core.drill_views import CELL_WORDS
from lens_core.model import Verdict
from lens_core.views import VERDICT_SYMBOLS

_TITLE = "Compatibility drill: what each previous version's index and clients meet"
_ROW_PIXELS, _FRAME_PIXELS = 34, 130
_WRAPPED = 90


def drill_matrix(frame: pd.DataFrame, candidate: str = "") -> go.Figure:
    """Cells (rows) × previous versions (columns) of ``drill_views.answer_frame``; signs beside colours.

    A cell that was not answered stays empty, with a dot. ``customdata`` holds (verdict, reason) of each.
    """
    title = f"{_TITLE} ({candidate})" if candidate else _TITLE
    if frame.empty:
        return nothing_drawn(title, "nothing was drilled: no evidence")
    versions, cells = list(dict.fromkeys(frame["version"])), list(dict.fromkeys(frame["cell"]))
    said = {(row.version, row.cell): (str(row.verdict), str(row.reason)) for row in frame.itertuples(index=False)}
    grid = [[said.get((version, cell), ("", "no answer")) for version in versions] for cell in cells]
    heat: dict[str, object] = {
        "type": "heatmap",
        "x": versions,
        "y": [CELL_WORDS.get(cell, cell) for cell in cells],
        "z": [[Verdict[verdict].value if verdict else None for verdict, _ in row] for row in grid],
        "text": [[f"{VERDICT_SYMBOLS[verdict]} {verdict}" if verdict else "·" for verdict, _ in row] for row in grid],
        "customdata": [[(verdict, _folded(reason)) for verdict, reason in row] for row in grid],
        "texttemplate": "%{text}",
        "textfont": {"color": "#000000"},
        "hovertemplate": "%{y}, %{x}: %{customdata[0]}<br>%{customdata[1]}<extra></extra>",
        "colorscale": _steps(),
        "zmin": -0.5,
        "zmax": len(Verdict) - 0.5,
        "showscale": False,
        "xgap": 3,
        "ygap": 3,
        "opacity": 0.85,
    }
    layout: dict[str, object] = {
        "title": {"text": title},
        "height": _FRAME_PIXELS + _ROW_PIXELS * len(cells),
        "xaxis": {"title": {"text": "previous version"}, "type": "category", "showgrid": False},
        "yaxis": {"autorange": "reversed", "showgrid": False, "type": "category"},
    }
    return make_figure([heat], layout)


def _steps() -> list[tuple[float, str]]:
    """A colour for each verdict, with no shade between two of them."""
    width = 1 / len(Verdict)
    return [
        (edge, VERDICT_COLOURS[verdict.name])
        for verdict in Verdict
        for edge in (verdict.value * width, (verdict.value + 1) * width)
    ]


def _folded(text: str) -> str:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= _WRAPPED:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "<br>".join([*lines, line])
