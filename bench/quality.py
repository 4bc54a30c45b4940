"""Recall@50 and nDCG@10 of the engine on every slice, for several seeds: no load, no latency.

The questions of a slice are fixed by the seed, and a slice with fewer than 300 documented functions
has the same ``nl`` questions for every seed. Run with ``python bench/quality.py --seeds 11,12,13``.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean

from lens_core.adapters.corpora import CorpusStore
from lens_core.bootstrap import open_lens
from lens_core.config import load_settings
from lens_core.engine.index import build_index
from lens_core.engine.search import CodeIndex, Filters, open_index
from lens_core.model import QUERY_CLASSES, Corpus, Hit
from lens_core.quality import RECALL_DEPTH, UnitIndex, rank_answer, score

_PROJECT = Path(__file__).resolve().parent.parent


def ask(index: CodeIndex, text: str) -> list[Hit]:
    """The first 50 hits of one question."""
    answer = index.search(text, limit=RECALL_DEPTH, offset=0, filters=Filters(None, symbols=False, glob=None))
    return [Hit(h.path, h.start_line, h.end_line, h.symbol or "", h.kind, h.language, h.score) for h in answer.hits]


def evaluate(store: CorpusStore, corpus: Corpus, index: CodeIndex, seed: int) -> dict[str, tuple[int, float, float]]:
    """Query class → (questions, Recall@50, nDCG@10); ``pooled`` over all of them."""
    truth = store.questions(corpus, seed)
    units = UnitIndex(truth.units)
    answers = [rank_answer(q.question_id, q.relevant, ask(index, q.text), units) for q in truth.questions]
    scores = score(answers)
    by_class = defaultdict(list)
    for question in truth.questions:
        for name in (question.query_class, "pooled"):
            by_class[name].append(scores[question.question_id])
    return {
        name: (len(found), mean(s.recall_at_50 for s in found), mean(s.ndcg_at_10 for s in found))
        for name, found in by_class.items()
    }


def main() -> None:
    """Print a Markdown table: a row per slice and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="11,12,13", help="comma-separated seeds of the questions")
    parser.add_argument("--slices", default="", help="comma-separated slices; default: all")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    lens = open_lens()
    store = CorpusStore(load_settings().home / "corpora", _PROJECT / "data" / "definitions")
    corpora = [c for c in lens.select_corpora() if not given.slices or str(c.slice) in given.slices.split(",")]
    store.fetch(corpora).raise_first()
    columns = (*QUERY_CLASSES, "pooled")
    print(f"| slice | seed | n nl | {' | '.join(columns)} |")
    print(f"|---|---|---|{'---|' * len(columns)}")
    for corpus in corpora:
        with tempfile.TemporaryDirectory() as folder:
            build_index(store.stripped(corpus), Path(folder) / "index", lambda _count, _path: None)
            index = open_index(Path(folder) / "index")
            for seed in seeds:
                found = evaluate(store, corpus, index, seed)
                cells = " | ".join(f"{found[c][1]:.3f}/{found[c][2]:.3f}" for c in columns)
                print(f"| {corpus.slice} | {seed} | {found['nl'][0]} | {cells} |")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
