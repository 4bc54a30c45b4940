"""The shapes that go over the wire, as the OpenAPI description shows them."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from lens_core.engine.question import MAX_CHARS
from lens_core.engine.search import MAX_GLOB_CHARS, MAX_LIMIT, MAX_OFFSET

# ``\S`` means other characters to each dialect of regular expressions; what ``str.strip`` takes for blank is
# spelled out, so that callers, the description and the engine agree.
NOT_BLANK = r"[^\x09-\x0d\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
LanguageName = Literal["python", "typescript", "javascript", "svelte"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchParameters(_Strict):
    """Parameters of ``GET /search``."""

    q: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CHARS,
            pattern=NOT_BLANK,
            description="A name, a fragment, some words, or a case-sensitive substring in double quotes",
        ),
    ]
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 10
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0
    language: LanguageName | None = None
    symbols: Annotated[bool, Field(description="Definitions only")] = False
    glob: Annotated[
        str | None, Field(min_length=1, max_length=MAX_GLOB_CHARS, description="Files to look in, as src/**/*.py")
    ] = None


class OutlineParameters(_Strict):
    """Parameters of ``GET /outline``."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]


class CompatParameters(_Strict):
    """Parameters of ``GET /compat/check``."""

    api_version: Annotated[str | None, Field(max_length=64)] = None
    index_version: Annotated[str | None, Field(max_length=64)] = None


class NoParameters(_Strict):
    """A path that takes no parameters refuses any."""


class HitBody(BaseModel):
    """One hit; lines are 1-based, both ends inclusive; ``score`` falls strictly from hit to hit."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    kind: str
    language: str
    score: float


class SearchBody(BaseModel):
    """The answer of ``GET /search``."""

    query: str
    total: int
    limit: int
    offset: int
    hits: list[HitBody]


class DefinitionBody(BaseModel):
    """One definition of an outline."""

    name: str
    kind: str
    start_line: int
    end_line: int
    parents: list[str]


class OutlineBody(BaseModel):
    """The answer of ``GET /outline``."""

    path: str
    definitions: list[DefinitionBody]


class StatsBody(BaseModel):
    """The answer of ``GET /stats``: what the manifest of the index says."""

    engine_version: str
    api_version: str
    index_format: int
    document_count: int
    file_count: int
    content_digest: str
    analyzer_fingerprint: str
    tantivy_version: str
    languages: dict[str, int]
    skipped: dict[str, int]


class HealthBody(BaseModel):
    """The answer of ``GET /health``."""

    status: Literal["ok"]
    version: str
    uptime_seconds: float
    index_ready: bool


class CompatBody(BaseModel):
    """The answer of ``GET /compat/check``."""

    compatible: bool
    reasons: list[str]
    api_version: str
    index_format: int


class ErrorDetail(BaseModel):
    """One thing that is wrong: ``field`` is the parameter."""

    field: str
    problem: str


class ErrorContent(BaseModel):
    """What went wrong, what to do, and every single thing that is wrong."""

    code: str
    message: str
    hint: str
    details: list[ErrorDetail]


class ErrorBody(BaseModel):
    """The answer of any request that fails."""

    error: ErrorContent


SearchQuery = Annotated[SearchParameters, Query()]
OutlineQuery = Annotated[OutlineParameters, Query()]
CompatQuery = Annotated[CompatParameters, Query()]
NoQuery = Annotated[NoParameters, Query()]
