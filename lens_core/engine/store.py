"""tantivy at arm's length: the two schemas, and its panics turned into errors of the engine.

An index directory holds the chunks (its root) and the scopes (``scopes/``). A *scope* is a top-level
class, or what remains of a file outside of its classes; a question is also put to the scopes, because a
method belongs where its class speaks of the same things.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import tantivy

from lens_core.engine.errors import EngineError, IndexRefused

INDEX_FORMAT: Final = 1
SCOPES: Final = "scopes"
# One segment needs all postings in memory at once: past this budget tantivy would start a second one.
WRITER_BYTES: Final = 2_000_000_000

RAW_FIELDS: Final = ("path", "symbol", "kind", "language", "role", "symbol_phrase")
WORD_FIELDS: Final = ("symbol_words", "body", "context", "path_words", "identifiers")
POSITIONAL_FIELDS: Final = ("trigrams",)
_SEGMENT_KINDS: Final = (".store", ".idx", ".term", ".pos", ".fast", ".fieldnorm")
STORED_RAW: Final = frozenset({"path", "symbol", "kind", "language"})


def chunk_schema() -> tantivy.Schema:
    """The schema of the chunks; all that a migration needs is stored, and no date is."""
    builder = tantivy.SchemaBuilder()
    for name in RAW_FIELDS:
        builder.add_text_field(name, stored=name in STORED_RAW, tokenizer_name="raw", index_option="basic")
    for name in WORD_FIELDS:
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    for name in POSITIONAL_FIELDS:
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    for name in ("start_line", "end_line"):
        builder.add_integer_field(name, stored=True)
    builder.add_bytes_field("scope", stored=True)
    builder.add_bytes_field("text", stored=True)
    return builder.build()


def scope_schema() -> tantivy.Schema:
    """The schema of the scopes: nothing but their words."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("words", tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def schema_description() -> dict[str, str]:
    """The schemas in words, for the manifest: field → how it is indexed and stored."""
    described = {name: "raw" + (" stored" if name in STORED_RAW else "") for name in RAW_FIELDS}
    described |= dict.fromkeys(WORD_FIELDS, "whitespace freq")
    described |= dict.fromkeys(POSITIONAL_FIELDS, "whitespace position")
    described |= {"start_line": "i64 stored", "end_line": "i64 stored"}
    described |= {"scope": "bytes stored", "text": "bytes stored", f"{SCOPES}.words": "whitespace freq"}
    return described


@contextmanager
def guarded(action: str, *, opening: bool = False) -> Iterator[None]:
    """Turns whatever tantivy throws while doing ``action`` into an ``EngineError``.

    tantivy's ``PanicException`` derives from ``BaseException``; keyboard interrupts and exits pass.
    With ``opening`` the error is an ``IndexRefused``, as the bytes on disk are then to blame.
    """
    try:
        yield
    except (EngineError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        message = f"tantivy could not {action}: {str(error) or type(error).__name__}"
        if opening:
            raise IndexRefused(message, "build the index again with `lens index`") from error
        raise EngineError(message, "check the index with `lens index`, or build it again") from error


def _expect_segment_files(directory: Path) -> None:
    """Every file of every segment: tantivy takes a missing ``.pos`` for an empty one until somebody asks."""
    meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
    for segment in meta["segments"]:
        for kind in _SEGMENT_KINDS:
            if not (directory / (segment["segment_id"].replace("-", "") + kind)).is_file():
                message = f"expected the file {kind} of the segment {segment['segment_id']} in {directory}, saw none"
                raise IndexRefused(message, "build the index again with `lens index`")


def open_store(directory: Path, schema: tantivy.Schema | None = None) -> tantivy.Index:
    """Opens a tantivy index for reading; ``IndexRefused`` when tantivy cannot, or it is not of ``schema``, if given.

    tantivy counts fields: with the same ones in another order it answers from the wrong ones. None is for who
    reads what another version wrote, by its fields' names.
    """
    with guarded(f"open {directory}", opening=True):
        _expect_segment_files(directory)
        index = tantivy.Index.open(str(directory))
        if schema is not None and index.schema != schema:
            message = f"schema: expected that of this engine in {directory}, saw other fields or another order"
            raise IndexRefused(message, "build the index again with `lens index`", code="schema")
        index.config_reader(reload_policy="manual", num_warmers=0)
        index.reload()
        return index
