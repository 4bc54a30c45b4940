"""Puts the same questions to all tools in turn, and keeps what they found and how long they took."""

import gc
import itertools
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.material import Material
from bench.tools import MAKERS, Tool, forget_words, ripgrep_program
from lens_core.errors import Unavailable
from lens_core.model import Question
from lens_core.quality import Score, UnitIndex, rank_answer, score

Says = Callable[[str], None]
"""Takes a line of progress."""

_FLOOR_RUNS = 21


@dataclass(frozen=True, slots=True)
class Standing:
    """What one tool did. ``times_ms`` has a row a pass and a column a question, NaN where none was asked.

    ``absent`` says why a tool could not take part; it has no scores and no times then.
    """

    tool: str
    build_s: float
    scores: Mapping[str, Score]
    times_ms: NDArray[np.float64]
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One slice: the questions, and the standings with Lens first."""

    slice: str
    corpus: str
    chunk_count: int
    questions: tuple[Question, ...]
    standings: tuple[Standing, ...]


def run(
    material: Material, passes: int, say: Says, makers: Mapping[str, Callable[[Material, Path], Tool]] = MAKERS
) -> Result:
    """Build every tool, ask all questions once for what is found, then ``passes`` times for how long it takes."""
    questions = material.questions
    tools: dict[str, Tool] = {}
    builds: dict[str, float] = {}
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="lens-bench-") as folder, ExitStack() as open_tools:
        for name, make in makers.items():
            say(f"{material.slice}: building {name}")
            forget_words()
            gc.collect()
            begun = time.perf_counter()
            try:
                tools[name] = open_tools.enter_context(closing(make(material, Path(folder))))
            except Unavailable as error:
                absent[name] = f"{error.message} ({error.hint})"
            builds[name] = time.perf_counter() - begun
        say(f"{material.slice}: asking {len(questions)} questions for what is found")
        found = {name: found_by(tool, material) for name, tool in tools.items()}
        times = _timed(tools, questions, passes, lambda number: say(f"{material.slice}: pass {number} of {passes}"))
    never = np.full((passes, len(questions)), np.nan)
    standings = tuple(
        Standing(name, builds[name], found.get(name, {}), times.get(name, never), absent.get(name, ""))
        for name in makers
    )
    return Result(material.slice, material.corpus, len(material.chunks), questions, standings)


def found_by(tool: Tool, material: Material) -> dict[str, Score]:
    """Score per question of the classes that ``tool`` can answer."""
    units = UnitIndex(material.units)
    asked = [question for question in material.questions if question.query_class in tool.classes]
    return score(
        [rank_answer(item.question_id, item.relevant, tool.ask(item.query_class, item.text)(), units) for item in asked]
    )


def _timed(
    tools: Mapping[str, Tool], questions: Sequence[Question], passes: int, on_pass: Callable[[int], None]
) -> dict[str, NDArray[np.float64]]:
    """Milliseconds by tool. Tools take turns question by question, in all orders one after the other."""
    times = {name: np.full((passes, len(questions)), np.nan) for name in tools}
    orders = itertools.cycle(itertools.permutations(tools))
    for number in range(passes):
        on_pass(number + 1)
        # The collector would charge one tool for the garbage of all.
        gc.collect()
        gc.disable()
        try:
            for column, question in enumerate(questions):
                for name in next(orders):
                    if question.query_class in tools[name].classes:
                        begun = time.perf_counter_ns()
                        tools[name].ask(question.query_class, question.text)
                        times[name][number, column] = (time.perf_counter_ns() - begun) / 1e6
        finally:
            gc.enable()
    return times


def ripgrep_floor() -> tuple[str, float] | None:
    """The version of ripgrep, and the median time of ``rg --version`` in ms; None where there is no ripgrep."""
    try:
        program = ripgrep_program()
    except Unavailable:
        return None
    times = []
    for _ in range(_FLOOR_RUNS):
        begun = time.perf_counter()
        said = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
        times.append((time.perf_counter() - begun) * 1e3)
    return said.decode().split("\n", maxsplit=1)[0].strip(), float(np.median(times))
