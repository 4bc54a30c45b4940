"""An executed notebook as HTML that needs no network: figures drawn by a script that lies beside it."""

import json
import os
from pathlib import Path

import nbformat
import plotly
import plotly.io as pio
from nbconvert import HTMLExporter
from plotly.offline import get_plotlyjs

_FIGURE = "application/vnd.plotly.v1+json"
_STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1280px; padding: 0 1rem; color: #1b1f24 }
p { overflow-wrap: anywhere }
pre { background: #f6f8fa; padding: .6rem .8rem; border-radius: 6px; overflow-x: auto; font-size: 12.5px }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto }
th, td { border: 1px solid #d0d7de; padding: .25rem .55rem; text-align: left; vertical-align: top }
th { background: #f6f8fa } .prompt, .anchor-link { display: none }
"""


def write_html(notebook_file: Path, assets: Path) -> Path:
    """Write ``notebook_file`` as .html beside itself and return that path.

    ``assets`` gets plotly's script once; the page refers to it by a relative path, so a night's
    folder can be carried elsewhere together with it.
    """
    notebook = nbformat.read(notebook_file, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            figure = output.get("data", {}).pop(_FIGURE, None)
            if figure is not None:
                drawn = pio.from_json(json.dumps({"data": figure["data"], "layout": figure["layout"]}))
                output["data"]["text/html"] = pio.to_html(drawn, include_plotlyjs=False, full_html=False)
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(notebook)
    script = _plotly_script(assets)
    reference = Path(os.path.relpath(script, notebook_file.parent)).as_posix()
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{notebook_file.stem}</title>'
        f'<style>{_STYLE}</style><script src="{reference}"></script></head><body>{body}'
        f"<p><small>The code that made this page, with its outputs: {notebook_file.name}</small></p></body></html>"
    )
    target = notebook_file.with_suffix(".html")
    target.write_text(page, encoding="utf-8")
    return target


def _plotly_script(assets: Path) -> Path:
    script = assets / f"plotly-{plotly.__version__}.min.js"
    if not script.exists():
        assets.mkdir(parents=True, exist_ok=True)
        part = script.with_suffix(f".{os.getpid()}.part")
        part.write_text(get_plotlyjs(), encoding="utf-8")
        part.replace(script)
    return script
