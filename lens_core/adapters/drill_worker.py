"""A script that works on one index with whatever engine and tantivy its interpreter finds: one request, one answer.

The request is a JSON object on standard input (``op`` and its arguments), the answer one JSON line on standard
output: ``{"ok": true, "tantivy": …, "engine": …, "said": {…}}``, or ``{"ok": false, …, "refusal": {"kind", "code",
"message", "panic"}}`` for whatever was thrown, tantivy's panics included, which are no ``Exception``. Standing alone,
it runs on the oldest engine that is drilled as on the newest: it imports nothing of Lens, and asks the engine for
no more than ``build_index``, ``open_index``, ``describe``, ``write``, ``read``, ``fingerprint`` and the tokens.

Documents that ``append`` writes are known by their path, so that the others can be told from them ever after.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tantivy

MARK = "lens-drill/appended-"
"""How the path of every appended document begins."""
PROBE = "class HTTPServer2: def get_userNames(self, $scope): return parse_url('A b') # running studies, İstanbul naïve"
"""What the analyzers of two versions must make the same tokens of."""

_HEAP_BYTES = 50_000_000
_DATE = datetime(2025, 1, 1, tzinfo=UTC)
_SCOPES = "scopes"
_SHOWN = 600
_Request = Mapping[str, Any]
_Said = dict[str, Any]


def main() -> int:
    """Answer the request on standard input; 0 whether or not the engine refused it."""
    request = json.loads(sys.stdin.read())
    answer: _Said = {"tantivy": version("tantivy"), "engine": _engine_version()}
    try:
        answer |= {"ok": True, "said": OPS[request["op"]](request)}
    except BaseException as error:  # noqa: BLE001  (a panic of tantivy derives from BaseException alone)
        answer |= {"ok": False, "refusal": _refusal(error, request)}
    sys.stdout.write(json.dumps(answer, sort_keys=True) + "\n")
    return 0


def build(request: _Request) -> _Said:
    """Index the folder ``source`` into ``index``, natively."""
    made = _engine("index").build_index(Path(request["source"]), Path(request["index"]))
    return {"documents": made.document_count, "files": made.file_count}


def describe(request: _Request) -> _Said:
    """What the index is made of: documents, segments, fields with their types, and the manifest less its files."""
    folder = Path(request["index"])
    searcher = _open(folder).searcher()
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    fields = {field["name"]: field["type"] for field in meta["schema"]}
    stored = [field["name"] for field in meta["schema"] if field["options"].get("stored")]
    said = {"documents": searcher.num_docs, "segments": searcher.num_segments, "fields": fields, "stored": stored}
    return said | {"manifest": _manifest(folder)}


def contents(request: _Request) -> _Said:
    """Digests over every stored field of every document, in no order: of those that were there, and of appended ones.

    ``found`` counts the appended documents that a query for their path finds.
    """
    index = _open(Path(request["index"]))
    searcher, kinds = index.searcher(), {"mine": list[str](), "appended": list[str]()}
    found = 0
    for document in _documents(searcher):
        path = document.get("path", [""])[0]
        appended = str(path).startswith(MARK)
        kinds["appended" if appended else "mine"].append(_digest(document))
        if appended:
            query = tantivy.Query.term_query(index.schema, "path", path, index_option="basic")
            found += len(searcher.search(query, 1).hits)
    said: _Said = {name: {"documents": len(all_), "digest": _sha(sorted(all_))} for name, all_ in kinds.items()}
    return said | {"segments": searcher.num_segments, "found": found}


def answers(request: _Request) -> _Said:
    """What the engine answers to each of ``questions``: how many match, the best ``keep`` as ``path:from-to:name``.

    ``all`` is the digest of all that match, in no order, where they stand on one page, and empty elsewhere. The
    index is opened as the service opens it, so whatever its manifest forbids is refused here.
    """
    module = _engine("search")
    index, said = module.open_index(Path(request["index"])), []
    for question in request["questions"]:
        filters = module.Filters(question["language"], question["symbols"], question["glob"])
        page = {"limit": question["limit"], "offset": question["offset"], "filters": filters}
        found = index.search(question["query"], **page)
        hits = [f"{hit.path}:{hit.start_line}-{hit.end_line}:{hit.symbol}" for hit in found.hits]
        whole = _sha(sorted(hits)) if len(hits) == found.total else ""
        said.append({"total": found.total, "hits": hits[: request["keep"]], "all": whole})
    return {"answers": said}


def append(request: _Request) -> _Said:
    """Write ``commits`` documents from number ``first`` on, one a commit; with ``merged``, stop at one segment.

    tantivy merges when it wants to, by default eight segments of like size; it is waited for. The manifest is then
    written again, as a version that writes in place would, so that engines open the index.
    """
    folder, before = Path(request["index"]), _open(Path(request["index"])).searcher().num_segments
    written = [
        _append(place, request["first"], request["commits"], merged=request.get("merged", False))
        for place in (folder, folder / _SCOPES)
        if (place / "meta.json").exists()
    ]
    searcher = _open(folder).searcher()
    _write_manifest(folder, searcher.num_docs)
    return {"commits": written[0], "segments_before": before, "segments": searcher.num_segments}


def analyzer(request: _Request) -> _Said:
    """What this engine makes of a fixed text, its fingerprint, and the fingerprint that the index names."""
    module = _engine("analyzer")
    tokens = {name: list(getattr(module, name)(PROBE)) for name in ("identifiers", "words", "trigrams")}
    manifest = _manifest(Path(request["index"])) or {}
    named = str(manifest.get("analyzer_fingerprint", ""))
    return {"fingerprint": module.fingerprint(), "named": named, "tokens": tokens}


OPS: dict[str, Callable[[_Request], _Said]] = {
    "build": build,
    "describe": describe,
    "contents": contents,
    "answers": answers,
    "append": append,
    "analyzer": analyzer,
}
"""Every request that is known, by name."""


def _engine(module: str) -> Any:
    return import_module(f"lens_core.engine.{module}")


def _engine_version() -> str:
    try:
        return str(import_module("lens_core.engine").__version__)
    except ImportError:
        return ""


def _open(folder: Path) -> Any:
    index = tantivy.Index.open(str(folder))
    index.config_reader(reload_policy="manual", num_warmers=0)
    index.reload()
    return index


def _documents(searcher: Any) -> Iterator[dict[str, list[Any]]]:
    for _, address in searcher.search(tantivy.Query.all_query(), max(1, searcher.num_docs)).hits:
        yield searcher.doc(address).to_dict()


def _digest(document: Mapping[str, list[Any]]) -> str:
    return _sha([[name, [_plain(value) for value in document[name]]] for name in sorted(document)])


def _plain(value: Any) -> Any:
    """A stored value in one form, whatever form a version of tantivy gives it."""
    if isinstance(value, bytes | bytearray):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, list) and all(isinstance(part, int) for part in value):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return {"date": aware.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return value if isinstance(value, str | int | float | dict | None) else str(value)


def _sha(value: Any) -> str:
    content = json.dumps(value, sort_keys=True, default=str)
    return "sha256:" + hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def _append(folder: Path, first: int, commits: int, *, merged: bool) -> int:
    """How many documents were written, a writer for each: what its commit lets merge is merged when it ends."""
    fields = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["schema"]
    for number in range(commits):
        writer = _open(folder).writer(heap_size=_HEAP_BYTES, num_threads=1)
        try:
            writer.add_document(_document(fields, first + number))
            writer.commit()
        finally:
            writer.wait_merging_threads()
        if merged and _open(folder).searcher().num_segments == 1:
            return number + 1
    return commits


def _document(fields: list[dict[str, Any]], number: int) -> Any:
    """A document with something in every field; what a field of another kind would hold is left out."""
    document = tantivy.Document()
    for field in fields:
        name, kind = field["name"], field["type"]
        if name == "path":
            document.add_text(name, f"{MARK}{number:05}.py")
        elif name == "language":
            document.add_text(name, "python")
        elif kind == "text":
            document.add_text(name, f"drilled{number:05}")
        elif kind == "i64":
            document.add_integer(name, number + 1)
        elif kind == "u64":
            document.add_unsigned(name, number + 1)
        elif kind == "bytes":
            document.add_bytes(name, b"" if name == "scope" else f"drilled{number:05} = {number}\n".encode())
        elif kind == "date":
            document.add_date(name, _DATE)
    return document


def _manifest(folder: Path) -> _Said | None:
    """The manifest less its files, whichever version wrote it; None where there is none."""
    try:
        read: _Said = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return {name: value for name, value in read.items() if name != "files"}


def _write_manifest(folder: Path, documents: int) -> None:
    before, manifest = _manifest(folder), _engine("manifest")
    if before is None:  # an index of tantivy alone
        return
    kept = {name: before[name] for name in ("languages", "skipped", "content_digest")}
    manifest.write(manifest.describe(folder, document_count=documents, **kept), folder)


def _refusal(error: BaseException, request: _Request) -> _Said:
    """What was thrown, without the places of this machine, so that two drills say the same."""
    message = str(error)
    for name in ("index", "source"):
        if request.get(name):
            message = message.replace(str(request[name]), f"<{name}>")
    return {
        "kind": type(error).__name__,
        "code": str(getattr(error, "code", "")),
        "message": message[:_SHOWN],
        "panic": not isinstance(error, Exception),
    }


if __name__ == "__main__":
    sys.exit(main())
