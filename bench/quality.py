"""Recall@50 and nDCG@10 of the engine on every slice, for several seeds: no load, no latency.

The questions of a slice are fixed by the seed, and a slice with fewer than 300 documented functions
has the same ``nl`` questions for every seed. Run with ``python bench/quality.py --seeds 11,12,13``.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean

from bench.material import Library, Material
from bench.race import found_by
from bench.tools import LensTool
from lens_core.model import QUERY_CLASSES
from lens_core.questions import PER_CLASS


def evaluate(tool: LensTool, material: Material) -> dict[str, tuple[int, float, float]]:
    """Query class → (questions, Recall@50, nDCG@10); ``pooled`` over all of them."""
    scores = found_by(tool, material)
    by_class = defaultdict(list)
    for question in material.questions:
        for name in (question.query_class, "pooled"):
            by_class[name].append(scores[question.question_id])
    return {
        name: (len(some), mean(s.recall_at_50 for s in some), mean(s.ndcg_at_10 for s in some))
        for name, some in by_class.items()
    }


def main() -> None:
    """Print a Markdown table: a row per slice and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="11,12,13", help="comma-separated seeds of the questions")
    parser.add_argument("--slices", default="", help="comma-separated slices; default: all")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    library = Library()
    columns = (*QUERY_CLASSES, "pooled")
    print(f"| slice | seed | n nl | {' | '.join(columns)} |")
    print(f"|---|---|---|{'---|' * len(columns)}")
    for corpus in library.corpora(given.slices.split(",") if given.slices else library.slices):
        with tempfile.TemporaryDirectory() as folder:
            tool = LensTool(library.material(corpus, seeds[0], PER_CLASS), Path(folder))
            for seed in seeds:
                figures = evaluate(tool, library.material(corpus, seed, PER_CLASS))
                cells = " | ".join(f"{figures[c][1]:.3f}/{figures[c][2]:.3f}" for c in columns)
                print(f"| {corpus.slice} | {seed} | {figures['nl'][0]} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
