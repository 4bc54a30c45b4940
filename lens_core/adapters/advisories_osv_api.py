"""The advisory source ``osv-api``: a server that speaks the OSV API (https://google.github.io/osv.dev/api/)."""

import hashlib
import ipaddress
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from lens_core.errors import IntegrityError, InvalidInput, LensError, Unavailable
from lens_core.supply.advisories import AdvisoryReport, Canary, canaries_of, scale_of
from lens_core.supply.osv import (
    Record,
    ecosystem_of,
    expect_record,
    group,
    judge,
    name_of,
    version_of,
    vulnerability,
)
from lens_core.supply.words import Component, Progress

VERSION = "1"
BATCH = 1000
"""The API takes no more questions at once."""
PAGES = 100
"""A server that has still more pages for one question is not answering it."""
_AGAIN = frozenset({429, 500, 502, 503, 504})
_HINT = "look at the server and at the base URL of osv-api, then scan again"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for one answer (seconds), how often to try, and for how long to rest before the second try."""

    timeout_s: float = 20.0
    tries: int = 3
    backoff_s: float = 0.5


@dataclass(slots=True)
class _Heard:
    """What the server said: ids by purl, records by id, and when it said each."""

    ids: dict[str, set[str]] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    dates: list[datetime | None] = field(default_factory=list)

    @property
    def oldest(self) -> datetime | None:
        """The date of the oldest answer; None when one of them has none."""
        legible = [date for date in self.dates if date is not None]
        return min(legible) if legible and len(legible) == len(self.dates) else None


class OsvApi:
    """Keeps the port ``AdvisorySource`` over HTTP.

    ``base_url`` is ``https://…`` (``http`` on loopback only; InvalidInput otherwise). The known vulnerable
    packages are asked about in every batch. The data's date is the oldest ``Date`` of its answers: a live
    server looks things up now, a cache in between gives itself away, a stale mirror does not.
    """

    name = "osv-api"

    def __init__(
        self,
        base_url: str,
        *,
        patience: Patience | None = None,
        batch: int = BATCH,
        progress: Progress = lambda _: None,
    ) -> None:
        self._base_url, self._loopback = _expect_base(base_url)
        self._patience = patience or Patience()
        self._batch = min(batch, BATCH)
        self._progress = progress

    def ask(self, components: Sequence[Component]) -> AdvisoryReport:
        """Ask about all components; what goes wrong stands in the report's errors, without the server's name."""
        known = [component for component in components if ecosystem_of(component)]
        heard, errors = _Heard(), []
        with httpx.Client(
            base_url=self._base_url,
            timeout=self._patience.timeout_s,
            follow_redirects=False,
            trust_env=not self._loopback,  # a proxy cannot reach this machine's loopback
        ) as client:
            try:
                for start in range(0, len(known), self._batch):
                    self._progress(f"asking about packages {start + 1} to {start + self._batch} of {len(known)}")
                    self._ask_batch(client, known[start : start + self._batch], heard)
                self._fetch_records(client, heard)
            except LensError as error:
                errors.append(error.message)
        return self._report(components, known, heard, errors)

    def _report(
        self, components: Sequence[Component], known: Sequence[Component], heard: _Heard, errors: list[str]
    ) -> AdvisoryReport:
        canaries = canaries_of(known)
        found = {c.purl: _found(c, heard) for c in (*known, *canaries)}
        answered = {c.purl for c in known if c.purl in heard.ids and heard.ids[c.purl] <= set(heard.records)}
        return AdvisoryReport(
            source=self.name,
            source_version=VERSION,
            database=_digest(heard.records),
            records=len(heard.records),
            data_date=heard.oldest,
            expires=None,
            asked=tuple(component.purl for component in components),
            answered=tuple(sorted(answered)),
            unanswered=tuple(
                (c.purl, "the server did not answer" if ecosystem_of(c) else f"OSV has no ecosystem for {c.ecosystem}")
                for c in components
                if c.purl not in answered
            ),
            vulnerabilities=tuple(one for c in known for one in found[c.purl]),
            canaries=tuple(Canary(c.purl, scale_of(c), tuple(one.ids[0] for one in found[c.purl])) for c in canaries),
            errors=tuple(errors),
        )

    def _ask_batch(self, client: httpx.Client, components: Sequence[Component], heard: _Heard) -> None:
        """Ask, and go on with those that have more pages."""
        waiting = [(component, "") for component in (*canaries_of(components), *components)]
        answered: dict[str, set[str]] = {}
        seen: set[tuple[str, str]] = set()
        for _ in range(PAGES):
            body = self._call(client, "POST", "/v1/querybatch", {"queries": [_query(*one) for one in waiting]}, heard)
            answers = body.get("results")
            if not isinstance(answers, list) or len(answers) != len(waiting):
                count = len(answers) if isinstance(answers, list) else "no"
                raise IntegrityError(f"/v1/querybatch: expected {len(waiting)} answers, saw {count}", _HINT)
            following = []
            for (component, _token), answer in zip(waiting, answers, strict=True):
                ids, token = _read_answer(answer)
                answered.setdefault(component.purl, set()).update(ids)
                if token and (component.purl, token) in seen:
                    raise IntegrityError("/v1/querybatch: a page token came twice", _HINT)
                if token:
                    seen.add((component.purl, token))
                    following.append((component, token))
            if not following:
                for purl, ids in answered.items():
                    heard.ids.setdefault(purl, set()).update(ids)
                return
            waiting = following
        raise IntegrityError(f"/v1/querybatch: expected an end, saw {PAGES} pages", _HINT)

    def _fetch_records(self, client: httpx.Client, heard: _Heard) -> None:
        wanted = sorted({name for ids in heard.ids.values() for name in ids})
        self._progress(f"fetching {len(wanted)} advisories")
        for name in wanted:
            path = f"/v1/vulns/{quote(name, safe='')}"
            try:
                record = expect_record(self._call(client, "GET", path, None, heard))
            except ValueError as error:
                raise IntegrityError(f"{path}: {error}", _HINT) from error
            if record["id"] != name:
                raise IntegrityError(f"{path}: expected the record {name}, saw {record['id']}", _HINT)
            heard.records[name] = record

    def _call(
        self, client: httpx.Client, method: str, path: str, body: Mapping[str, Any] | None, heard: _Heard
    ) -> dict[str, Any]:
        """The JSON object that the server answers, after some tries."""
        fault = ""
        for attempt in range(self._patience.tries):
            if attempt:
                time.sleep(self._patience.backoff_s * 2 ** (attempt - 1))
            try:
                response = client.request(method, path, json=body)
            except httpx.HTTPError as error:  # its text may name the server
                fault = f"{path}: no answer ({type(error).__name__})"
                continue
            if response.status_code == httpx.codes.OK:
                heard.dates.append(_date(response.headers))
                return _json_object(path, response.content)
            fault = f"{path}: expected HTTP 200, saw {response.status_code}"
            if response.status_code not in _AGAIN:
                break
        raise Unavailable(fault, _HINT)


def _expect_base(base_url: str) -> tuple[str, bool]:
    """The URL without a slash at its end, and whether it is on loopback."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not host or parts.scheme not in ({"http", "https"} if loopback else {"https"}):
        raise InvalidInput(
            f"expected an https URL for osv-api (http on loopback only), saw {base_url!r}", "correct it in lens.toml"
        )
    return base_url.rstrip("/"), loopback


def _query(component: Component, token: str) -> dict[str, Any]:
    package = {"name": name_of(component), "ecosystem": ecosystem_of(component)}
    query: dict[str, Any] = {"package": package, "version": version_of(component)}
    return {**query, "page_token": token} if token else query


def _read_answer(answer: object) -> tuple[set[str], str]:
    """Ids and next page's token of one answer."""
    body = answer if isinstance(answer, dict) else {"vulns": None}
    vulns, token = body.get("vulns", []), body.get("next_page_token", "")
    if not isinstance(vulns, list) or not isinstance(token, str):
        raise IntegrityError("/v1/querybatch: an answer is not of OSV's form", _HINT)
    ids = {str(one["id"]) for one in vulns if isinstance(one, dict) and "id" in one}
    if len(ids) != len(vulns):
        raise IntegrityError("/v1/querybatch: a vulnerability has no id, or comes twice", _HINT)
    return ids, token


def _found(component: Component, heard: _Heard) -> tuple[Any, ...]:
    records = [heard.records[name] for name in sorted(heard.ids.get(component.purl, ())) if name in heard.records]
    live = [record for record in records if not record.get("withdrawn")]
    return group(vulnerability(record, component, ("api", *judge(record, component))) for record in live)


def _json_object(path: str, content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path}: expected JSON, saw {content[:20]!r}", _HINT) from error
    if not isinstance(body, dict):
        raise IntegrityError(f"{path}: expected a JSON object, saw {type(body).__name__}", _HINT)
    return body


def _date(headers: httpx.Headers) -> datetime | None:
    """When the answer was made. A cache hands on the origin's Date (RFC 9110 6.6.1), so an old answer tells."""
    try:
        return parsedate_to_datetime(headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None


def _digest(records: Mapping[str, Record]) -> str:
    content = json.dumps([records[name] for name in sorted(records)], sort_keys=True).encode()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
