# ruff: noqa: INP001, T201  (a script, which says what it has done)
"""Makes the committed definitions of TypeScript, JavaScript and Svelte files anew.

::

    npm install --prefix SCRATCH typescript@5.9.3
    python data/definitions/make.py SCRATCH/node_modules/typescript [SLICE …]

It fetches the corpora that are missing, has ``extract.mjs`` read their sources, and writes one
``<slice>.json.gz`` each: names, lines and offsets, no third-party text. The same compiler on the same
archives writes the same bytes, so that a review sees what changed.
"""

import gzip
import json
import subprocess
import sys
from pathlib import Path

from lens_core.adapters.corpora import CorpusStore
from lens_core.catalogue import parse_catalogue
from lens_core.model import Corpus, Language
from lens_core.truth import TRUTH_RULES_VERSION

DEFINITIONS = Path(__file__).parent
DATA = DEFINITIONS.parent
TYPESCRIPT = "5.9.3"


def main(typescript: Path, slices: list[str]) -> None:
    """Make the definitions of the given slices, or of all that have scripts."""
    catalogue = parse_catalogue((DATA / "slices.toml").read_text(encoding="utf-8"))
    corpora = [
        corpus
        for corpus in catalogue.corpora
        if corpus.slice.language != Language.PYTHON and (not slices or str(corpus.slice) in slices)
    ]
    store = CorpusStore(DATA / "home" / "corpora", DEFINITIONS)
    store.fetch(corpora).raise_first()
    for corpus in corpora:
        content = extracted(corpus, store.sources(corpus), typescript)
        (DEFINITIONS / f"{corpus.slice.slug}.json.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        print(corpus.slice)


def extracted(corpus: Corpus, tree: Path, typescript: Path) -> bytes:
    """The definitions of one source tree as JSON, bound to the archives that the tree came from."""
    command = ["node", str(DEFINITIONS / "extract.mjs"), str(typescript), str(tree)]
    document = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    if document["typescript"] != TYPESCRIPT:
        raise SystemExit(f"expected TypeScript {TYPESCRIPT}, saw {document['typescript']}")
    bound = {
        "rules": TRUTH_RULES_VERSION,
        "slice": str(corpus.slice),
        "archives": {archive.filename: archive.sha256 for archive in corpus.archives},
        **document,
    }
    return json.dumps(bound, separators=(",", ":"), ensure_ascii=False).encode()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
