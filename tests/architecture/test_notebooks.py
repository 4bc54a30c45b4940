"""Notebooks are faces: one parameters cell, calls and charts, no logic and no outputs."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
ALLOWED = {
    f"lens_core.{name}" for name in ("bootstrap", "charts", "errors", "model", "trend_charts", "trend_views", "views")
}
LIBRARIES = {"pathlib", "IPython"}


def code_cells(notebook):
    """The code cells of a notebook file."""
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]


def imports(tree):
    """Every module that a cell imports, with ``from lens_core import x`` as ``lens_core.x``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = node.module == "lens_core"
            yield from (f"lens_core.{alias.name}" for alias in node.names) if package else [node.module]


def test_there_are_notebooks():
    """The two notebooks of a night are there."""
    assert [n.stem for n in NOTEBOOKS] == ["nightly_report", "slice_validation"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_a_notebook_keeps_to_what_faces_may_do(notebook):
    """It imports what faces may import and defines nothing of its own."""
    for cell in code_cells(notebook):
        tree = ast.parse("".join(cell["source"]))
        for module in imports(tree):
            assert module in ALLOWED or module.split(".")[0] in LIBRARIES, module
        forbidden = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Try)
        assert not any(isinstance(node, forbidden) for node in ast.walk(tree))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_a_notebook_is_committed_empty(notebook):
    """One cell declares the parameters, first, and no cell has outputs or a count."""
    cells = code_cells(notebook)
    assert [i for i, c in enumerate(cells) if "parameters" in c["metadata"].get("tags", [])] == [0]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_a_notebook_writes_its_row_last(notebook):
    """The last cell records; whatever dies before it leaves no row."""
    assert "".join(code_cells(notebook)[-1]["source"]).startswith("lens.record_")
