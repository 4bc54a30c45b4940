# ruff: noqa: INP001  (a script, run inside the home of an old engine)
"""Indexes a tree with the engine of this home and answers questions: ``TREE INDEX``, questions on standard input.

Questions are a JSON list (see ``lens_core.adapters.previous_indexes``); the answers on standard output are
its ``answers``.
"""

import json
import sys
from pathlib import Path
from typing import Any

from lens_core.engine.index import build_index
from lens_core.engine.search import Answer, CodeIndex, Filters, open_index


def answer(index: CodeIndex, question: dict[str, Any]) -> Answer:
    """One page of hits."""
    filters = Filters(question["language"], question["symbols"], question["glob"])
    return index.search(question["query"], limit=question["limit"], offset=question["offset"], filters=filters)


def main(tree: Path, out: Path) -> None:
    """Build, ask, and say."""
    build_index(tree, out)
    index = open_index(out)
    pages = [answer(index, question) for question in json.load(sys.stdin)]
    answers = [
        {
            "total": page.total,
            "hits": [
                [hit.path, hit.start_line, hit.end_line, hit.symbol, hit.kind, hit.language, hit.score]
                for hit in page.hits
            ],
        }
        for page in pages
    ]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
