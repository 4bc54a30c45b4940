"""Starts two versions of the engine side by side and writes down what their clients would see.

What comes out is judged by ``lens_core.drills.api_drill`` and ``lens_core.drills.half_fleet``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from lens_core.adapters.api_requests import Recorder, asking, document_of, searches_counted, send
from lens_core.adapters.half_fleet import HALF, half_fleet
from lens_core.adapters.listening import listening
from lens_core.drills.api_requests import ApiRequest, Samples, compat_requests, requests_of
from lens_core.drills.openapi import Document
from lens_core.errors import InvalidInput
from lens_core.supply import canonical
from lens_core.supply.words import Progress

ENGINE_COMMAND: Final = Path(__file__).with_name("engine_command.py")
"""The script that an engine home runs to be its engine's command line: ``home.command(ENGINE_COMMAND)``."""
_START_TIMEOUT_S: Final = 60.0
_DEPTH: Final = 50
_SAMPLES: Final = 3
_ROUNDS: Final = 4
_SEARCH, _OUTLINE, _COMPAT = "/search", "/outline", "/compat/check"
_HINT: Final = "run its serve command by hand to see why"


def observe_api(
    old_command: Sequence[str],
    new_command: Sequence[str],
    index_for_old: Path,
    index_for_new: Path,
    questions: Sequence[str],
    progress: Progress,
) -> tuple[bytes, bytes]:
    """The observations for the cells ``api`` and ``half_fleet``, as canonical JSON.

    Each command is the command line of an engine, to which ``serve`` and its options are added; the indexes may be the
    same folder. Unavailable when a server does not come to listen.
    """
    with (
        serving(old_command, index_for_old, "the old engine") as old_url,
        serving(new_command, index_for_new, "the new engine") as new_url,
    ):
        return observe_answers(old_url, new_url, questions, progress), observe_half_fleet(
            old_url, new_url, questions, progress
        )


@contextmanager
def serving(command: Sequence[str], index: Path, name: str) -> Iterator[str]:
    """The address of an engine that serves ``index`` until the context ends."""
    more = ("serve", "--index", str(index.absolute()), "--until-stdin-closes")
    with listening((*command, *more), name=name, timeout_s=_START_TIMEOUT_S, hint=_HINT) as listener:
        yield listener.url


def observe_answers(old_url: str, new_url: str, questions: Sequence[str], progress: Progress) -> bytes:
    """What both servers say of themselves, and their answers to the same requests."""
    documents = {"old": document_of(old_url), "new": document_of(new_url)}
    recorder = Recorder()
    whose = _requests(documents, old_url, new_url, questions)
    progress(f"sending {len(whose)} requests to the old and the new engine")
    answers = {side: send(url, whose, recorder) for side, url in (("old", old_url), ("new", new_url))}
    exchanges = [
        {
            "by": sorted(by),
            "method": request.method,
            "path": request.path,
            "query": [list(pair) for pair in request.query],
            "old": answers["old"][number],
            "new": answers["new"][number],
        }
        for number, (request, by) in enumerate(whose.items())
    ]
    sides = {side: {"document": document} for side, document in documents.items()}
    return canonical.encode({"format": 1, **sides, "exchanges": exchanges, "bodies": recorder.bodies})


def observe_half_fleet(
    old_url: str, new_url: str, questions: Sequence[str], progress: Progress, *, front_url: str = ""
) -> bytes:
    """What each question is answered alone and through one address in front of both (``front_url``, or our own)."""
    recorder = Recorder()
    asked = [_search(question) for question in questions]
    alone = {side: send(url, asked, recorder) for side, url in (("old", old_url), ("new", new_url))}
    progress(f"asking {len(asked)} questions {_ROUNDS} times of old and new behind one address")
    urls = {"old": old_url, "new": new_url}
    before = {side: searches_counted(url) for side, url in urls.items()}
    if front_url:
        mixed = _mixed(front_url, asked, recorder)
    else:
        with half_fleet(old_url, new_url) as own_url:
            mixed = _mixed(own_url, asked, recorder)
    after = {side: searches_counted(url) for side, url in urls.items()}
    return canonical.encode(
        {
            "format": 1,
            "questions": list(questions),
            "alone": [{"old": old, "new": new} for old, new in zip(alone["old"], alone["new"], strict=True)],
            "mixed": mixed,
            "counted": {side: _meanwhile(before[side], after[side]) for side in urls},
            "bodies": recorder.bodies,
        }
    )


def _requests(
    documents: Mapping[str, Any], old_url: str, new_url: str, questions: Sequence[str]
) -> dict[ApiRequest, set[str]]:
    """Each request once, with whose it is. A document that cannot be read has none: the judge says so."""
    samples = _samples(old_url, questions)
    made: list[tuple[str, Sequence[ApiRequest]]] = [("golden", [_search(question) for question in questions])]
    for side in ("old", "new"):
        try:
            made.append((side, requests_of(Document(documents[side]), samples)))
        except InvalidInput:
            continue
    versions = [_versions(url) for url in (old_url, new_url)]
    apis = [str(each["api_version"]) for each in versions if "api_version" in each]
    formats = [each["index_format"] for each in versions if isinstance(each.get("index_format"), int)]
    made.append(("compat", compat_requests(_COMPAT, apis, formats)))
    whose: dict[ApiRequest, set[str]] = {}
    for by, requests in made:
        for request in requests:
            whose.setdefault(request, set()).add(by)
    return whose


def _samples(url: str, questions: Sequence[str]) -> Samples:
    """Values that mean something to the service: questions, and paths that their hits have."""
    paths: dict[str, None] = {}
    with asking(url) as client:
        for question in questions:
            hits = _object(client, _SEARCH, {"q": question}).get("hits")
            paths.update((str(hit["path"]), None) for hit in hits or [] if "path" in hit)
            if len(paths) >= _SAMPLES:
                break
    return {
        (_SEARCH, "q"): tuple(questions[:_SAMPLES]),
        (_SEARCH, "glob"): ("**/*", "*.py"),
        (_OUTLINE, "path"): tuple(paths)[:_SAMPLES],
    }


def _versions(url: str) -> Mapping[str, Any]:
    with asking(url) as client:
        return _object(client, _COMPAT, {})


def _object(client: httpx.Client, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """The JSON object at ``path``; an empty one when there is none."""
    try:
        body = client.get(path, params=parameters).json()
    except (httpx.HTTPError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _search(question: str) -> ApiRequest:
    return ApiRequest("GET", _SEARCH, (("q", question), ("limit", str(_DEPTH))))


def _mixed(url: str, asked: Sequence[ApiRequest], recorder: Recorder) -> list[list[dict[str, Any]]]:
    """Each question an even number of times in a row, so that both halves get it, over one kept connection."""
    with asking(url, keep_alive=True) as client:
        return [[_through(client, request, recorder) for _ in range(_ROUNDS)] for request in asked]


def _through(client: httpx.Client, request: ApiRequest, recorder: Recorder) -> dict[str, Any]:
    try:
        response = client.request(request.method, request.path, params=list(request.query))
    except httpx.HTTPError:
        return {"half": "unknown", **recorder.nothing()}
    return {"half": response.headers.get(HALF, "unknown"), **recorder.note(response)}


def _meanwhile(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
