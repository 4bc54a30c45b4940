"""``lens trends`` and ``lens forecast``: what changed over the nights, and what the next ones will probably be."""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import plotly.graph_objects as go
import typer

from lens_core import terminal, trend_views
from lens_core.bootstrap import open_lens
from lens_core.documents import json_text
from lens_core.errors import InvalidInput
from lens_core.forecast import HORIZON_NIGHTS, MAX_HORIZON_NIGHTS
from lens_core.trend_charts import forecast_fan, trend_with_changes
from lens_core.views import Page, metric_title

Metric = Annotated[str, typer.Option(help="What was measured: p95_ms, p99_ms, tail_ratio, recall_at_50 and the like.")]
Slices = Annotated[list[str] | None, typer.Option("--slice", help="A slice by its name; repeat it. Default: all.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write the figure as one page that needs no network.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


def trends(*, metric: Metric = "p99_ms", slices: Slices = None, html: Html = None, as_json: Json = False) -> None:
    """Show what changed over the nights: early warnings, and change points with their date and effect."""
    found = open_lens().trends(metric, tuple(slices or ()))
    table = trend_views.trend_table(found)
    if html is not None:
        write_page(html, f"{metric_title(metric)} over the nights", trend_with_changes(found), table)
    if as_json:
        typer.echo(json_text(found))
    elif not found:
        typer.echo(trend_views.FIRST_NIGHT)
    else:
        out = terminal.console()
        out.print(metric_title(metric), style="bold", markup=False)
        out.print(terminal.frame_table(table, ("early warning", "changes", "nights")))
    _say_where(html, as_json=as_json)


def forecast(
    *,
    metric: Metric = "p99_ms",
    slices: Slices = None,
    nights: Annotated[int, typer.Option(help=f"How many nights ahead, up to {MAX_HORIZON_NIGHTS}.")] = HORIZON_NIGHTS,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Say what such forecasts were worth on the nights that came.")
    ] = False,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Forecast the next nights with intervals, and how likely a gate's limit breaks."""
    lens, chosen = open_lens(), tuple(slices or ())
    found = lens.forecasts(metric, chosen, nights)
    tested = lens.backtest(metric, chosen, nights) if backtest and found else None
    table = trend_views.forecast_table(found)
    if html is not None:
        write_page(html, f"{metric_title(metric)}, the nights ahead", forecast_fan(found), table)
    if as_json:
        document: dict[str, Any] = {"forecasts": found, "backtest": tested}
        typer.echo(json_text(document))
    elif not found:
        typer.echo(trend_views.FIRST_NIGHT)
    else:
        out = terminal.console()
        out.print(metric_title(metric), style="bold", markup=False)
        out.print(terminal.frame_table(table, tuple(table.columns[1:])))
        if tested is not None:
            out.print()
            out.print(terminal.frame_table(trend_views.backtest_table(tested), ("in words",)))
            for line in trend_views.backtest_words(tested):
                out.print(line, markup=False)
    _say_where(html, as_json=as_json)


def write_page(file: Path, title: str, figure: go.Figure, table: pd.DataFrame) -> None:
    """Write figure and table as one self-contained page, at once or not at all; InvalidInput where it cannot be."""
    drawn = figure.to_html(full_html=False, include_plotlyjs=True)
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font-family:system-ui,sans-serif;margin:24px}td,th{padding:2px 12px 2px 0;text-align:left}</style>"
        f"</head><body>{drawn}{Page(table)._repr_html_()}</body></html>\n"
    )
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}", "name a file in a folder of yours") from error


def _say_where(html: Path | None, *, as_json: bool) -> None:
    if html is not None:
        typer.echo(f"figure   {html}", err=as_json)
