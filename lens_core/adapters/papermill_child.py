"""Executes one notebook in a process of its own, so that a deadline can end it whatever it does.

papermill's exit code and the saved notebook disagree about failures: ``sys.exit(0)`` half-way
raises nothing, a killed kernel or a timed-out cell is saved as completed, an unknown parameter
is only logged. So a notebook completed only if nothing was raised *and* every code cell is marked
completed *and* it has an output count; whether it also wrote its row is asked of the ledger.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from lens_core.adapters.lifeline import die_with_parent
from lens_core.adapters.notebook_html import write_html


def unknown_parameters(source: str, given: set[str]) -> set[str]:
    """Names that the notebook does not declare in its parameters cell."""
    return given - set(papermill.inspect_notebook(source))


def unfinished_cells(notebook: NotebookNode) -> list[int]:
    """Indexes of code cells that did not run to their end."""
    return [
        index
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("status") != "completed"
    ]


def execute(request: dict[str, Any]) -> str:
    """Execute the notebook of ``request``; the empty string, or why it did not complete."""
    with tempfile.TemporaryDirectory(prefix="lens-k-") as folder:
        # Sockets in a folder of this run's own: ports race, and the default socket name collides.
        kernel = Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/k"}})
        try:
            notebook = papermill.execute_notebook(
                request["source"],
                request["target"],
                request["parameters"],
                progress_bar=False,
                kernel_name="python3",
                execution_timeout=request["cell_timeout_s"],
                start_timeout=request["start_timeout_s"],
                config=kernel,
            )
        except PapermillExecutionError as error:
            return f"cell {error.cell_index} raised {error.ename}: {error.evalue}"
        except CellTimeoutError as error:
            return f"a cell ran out of time: {str(error).splitlines()[0]}"
        except DeadKernelError as error:
            return f"the kernel died: {error}"
    if cells := unfinished_cells(notebook):
        return f"cells {cells} never ran: the notebook was ended early"
    return ""


def main() -> None:
    """Read the request from standard input, write the reason to the file that it names."""
    request = json.loads(sys.stdin.buffer.readline())
    die_with_parent()
    if unknown := unknown_parameters(request["source"], set(request["parameters"])):
        reason, refused = f"the notebook does not know the parameters {sorted(unknown)}", True
    else:
        reason, refused = execute(request), False
    target = Path(request["target"])
    if target.exists():
        write_html(target, Path(request["assets"]))
    Path(request["answer"]).write_text(json.dumps({"reason": reason, "refused": refused}))


if __name__ == "__main__":
    main()
