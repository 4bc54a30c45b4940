"""A script that opens index after index with whatever engine its interpreter finds, and says what came of each.

A request is a JSON line on standard input, ``{"index": FOLDER, "questions": [{"query", "limit", "offset",
"language", "symbols", "glob"}]}``; its answer a JSON line on standard output, see ``lens_core.drills.integrity`` for
``outcome`` and the rest. ``digest`` covers every stored document and every answer. With arguments it is the engine's
own command line. Standing alone, it imports nothing of Lens but the engine.
"""

import gc
import hashlib
import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

_SHOWN = 300


def main() -> int:
    """Run an engine command, or answer requests until standard input ends."""
    if sys.argv[1:]:
        return int(import_module("lens_core.engine.cli").main(sys.argv[1:]))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(attempt(json.loads(line))) + "\n")
        sys.stdout.flush()
        gc.collect()  # nothing stays mapped of files that are exchanged next
    return 0


def attempt(request: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine makes of one index."""
    search, errors = import_module("lens_core.engine.search"), import_module("lens_core.engine.errors")
    at = "open"
    try:
        index = search.open_index(Path(request["index"]))
        at = "answer"
        said = [_answer(index, search, question) for question in request["questions"]]
    except errors.EngineError as error:
        code = str(getattr(error, "code", ""))
        return {"outcome": "refused", "at": at, "code": code, "reason": error.message[:_SHOWN]}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  (a panic of tantivy derives from BaseException alone)
        return {"outcome": "failed", "at": at, "reason": f"{type(error).__name__}: {error}"[:_SHOWN]}
    parts = [repr(chunk) for chunk in index.catalogue.chunks] + [repr(one) for one in said]
    digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
    return {"outcome": "answered", "digest": digest, "hits": sum(one.total for one in said)}


def _answer(index: Any, search: Any, question: Mapping[str, Any]) -> Any:
    filters = search.Filters(question.get("language"), question.get("symbols", False), question.get("glob"))
    page = {"limit": question.get("limit", 50), "offset": question.get("offset", 0)}
    return index.search(question["query"], **page, filters=filters)


if __name__ == "__main__":
    sys.exit(main())
