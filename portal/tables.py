"""HTML tables for the pages: real tables, so that they can be read aloud, searched, linked and copied.

Every text is escaped here; nothing that a ledger holds is trusted to be harmless markup.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from urllib.parse import quote, urlencode

import pandas as pd

from lens_core.model import Answer, Evidence, Night, Slice
from lens_core.views import (
    NAMED_SLICES,
    NO_VALUE,
    VERDICT_SYMBOLS,
    format_count,
    format_interval,
    format_threshold,
    format_value,
    night_verdict,
    reason_groups,
    term_of,
)

NOT_RECORDED = "<span class='lens-quiet'>not recorded</span>"


def night_link(night_id: str, slice_name: str = "") -> str:
    """The address of the page of one night (and one slice of it), relative to any page of the portal."""
    asked = {"night": night_id} | ({"slice": slice_name} if slice_name else {})
    return "./?" + urlencode(asked)


def evidence_link(night_id: str, path: str) -> str:
    """The address of a recorded file, relative to any page of the portal."""
    return f"evidence/{quote(night_id)}/{quote(path)}"


def verdict_tag(verdict: str) -> str:
    """A verdict as symbol, word and colour."""
    return f"<span class='lens-tag v-{verdict}'>{VERDICT_SYMBOLS[verdict]} {verdict}</span>"


def short_digest(digest: str, href: str = "") -> str:
    """The first 12 digits, the whole digest when pointed at, a link to the file when there is one."""
    if not digest:
        return "none"
    code = f"<code title='{escape(digest)}'>{escape(digest.removeprefix('sha256:')[:12])}</code>"
    return f"<a href='{escape(href)}' target='_blank'>{code}</a>" if href else code


def headline(verdict: str, title: str, paragraphs: Iterable[str], level: int = 1) -> str:
    """What a page says first, in the colour of the verdict; ``paragraphs`` are HTML, and empty ones are left out."""
    told = "".join(f"<p>{words}</p>" for words in paragraphs if words)
    return f"<section class='lens-verdict v-{verdict}'><h{level}>{escape(title)}</h{level}>{told}</section>"


def facts_list(rows: Iterable[tuple[str, str]]) -> str:
    """Names with what stands behind them, which is HTML."""
    return f"<dl class='lens-facts'>{''.join(f'<div><dt>{k}</dt><dd>{v}</dd></div>' for k, v in rows)}</dl>"


def paragraph(words: str) -> str:
    """Words of a record as a paragraph."""
    return f"<p>{escape(words)}</p>"


def notes(title: str, notes: Iterable[str]) -> str:
    """A list of remarks under a title."""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<div class='lens-notes'><p>{escape(title)}:</p><ul>{items}</ul></div>"


def binding_list(night: Night) -> str:
    """What the verdict holds for, and for nothing else."""
    dirty = "<strong>DIRTY</strong>" if night.candidate.dirty else "clean"
    baseline = night.baseline
    closed = f"{night.closed_at:%H:%M} UTC" if night.closed_at else "still open"
    rows = (
        ("Candidate", f"<strong>{escape(night.candidate.version)}</strong>"),
        ("Digest", short_digest(str(night.candidate.digest))),
        ("Commit", short_digest(night.candidate.commit)),
        ("Working tree", dirty),
        (
            "Baseline",
            f"{escape(baseline.version)} {short_digest(str(baseline.digest))}" if baseline else "none",
        ),
        ("Ran", f"{night.opened_at:%H:%M} to {closed}"),
        ("Load, all slices", f"{night.duration_minutes:g} min"),
        ("Seed", str(night.seed)),
        ("Data set", short_digest(str(night.dataset_digest))),
        ("Gate policy", short_digest(str(night.policy_digest))),
    )
    return facts_list(rows)


def reasons_table(answers: Iterable[Answer], night: Night, limit: int) -> tuple[str, str]:
    """The worst reasons first: the first ``limit`` of them, and the rest (empty when there is none)."""
    rows = []
    for verdict, gate, reason, slices in reason_groups(answers).itertuples(index=False):
        where = _where(slices, night)
        title = escape(", ".join(slices))
        rows.append(
            f"<tr><td>{verdict_tag(verdict)}</td><td title='{title}'>{where}</td>"
            f"<td>{escape(term_of(gate).title)}</td><td class='lens-words'>{escape(reason)}</td></tr>"
        )
    head = ("Verdict", "Where", "Gate", "Why")
    first = _table("Answers that are not a plain PASS, worst first", head, rows[:limit]) if rows else ""
    rest = _table("More answers that are not a plain PASS", head, rows[limit:]) if rows[limit:] else ""
    return first, rest


def _where(slices: Sequence[str], night: Night) -> str:
    """One or two slices by name, each a link; more of them by their number."""
    if len(slices) > NAMED_SLICES:
        return f"{len(slices)} slices"
    links = {name: f"<a href='{escape(night_link(night.night_id, name))}'>{escape(name)}</a>" for name in slices}
    return ", ".join(links[name] if name in night.slices else escape(name) for name in slices)


def matrix_table(matrix: pd.DataFrame, answers: Iterable[Answer], night_id: str, chosen: str) -> str:
    """Slices × gates: each cell the verdict's symbol and the value, its reason when pointed at."""
    worst = {}
    for answer in sorted(answers, key=lambda item: item.verdict.value):
        worst[answer.slice, answer.gate] = answer
    gates = [str(gate) for gate in matrix.columns]
    body = []
    for name in (str(name) for name in matrix.index):
        cells = "".join(_matrix_cell(worst.get((name, gate)), gate) for gate in gates)
        mark = " aria-current='true'" if name == chosen else ""
        link = f"<a href='{escape(night_link(night_id, name))}'>{escape(name)}</a>"
        body.append(f"<tr{mark}><th scope='row'>{link}</th>{cells}</tr>")
    groups = "".join(
        f"<th scope='colgroup' colspan='{len(list(run))}'>{escape(group)}</th>"
        for group, run in groupby(term_of(gate).group for gate in gates)
    )
    heads = "".join(_matrix_head(gate) for gate in gates)
    return (
        "<div class='lens-scroll' tabindex='0' role='region' aria-label='Slices and gates'>"
        "<table class='lens-table lens-matrix'><caption>What each gate says about each slice</caption>"
        f"<thead><tr><th></th>{groups}</tr><tr><th scope='col'>Slice</th>{heads}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _matrix_head(gate: str) -> str:
    term = term_of(gate)
    return f"<th scope='col' title='{escape(f'{term.title}. {term.meaning}')}'>{escape(term.label)}</th>"


def _matrix_cell(answer: Answer | None, gate: str) -> str:
    if answer is None:
        return f"<td class='v-INCONCLUSIVE' title='nobody answered'>{VERDICT_SYMBOLS['INCONCLUSIVE']} no answer</td>"
    verdict = answer.verdict.name
    value = "" if gate == "slice_present" else format_value(gate, answer.value)
    value = verdict.lower() if value == NO_VALUE else value
    reason = f"{verdict}: {answer.reason} ({format_count(answer.sample_count)})"
    words = f"{VERDICT_SYMBOLS[verdict]}&nbsp;{escape(value)}"
    return f"<td class='v-{verdict}' title='{escape(reason)}'>{words}</td>"


def answers_table(answers: Sequence[Answer], caption: str, files: Mapping[str, str]) -> str:
    """Every answer with value, threshold, count, reason, and the file that it is recomputed from.

    ``files`` maps a digest to the address of the file that has it. Where no answer has an interval there is no
    column for it.
    """
    sure = any(answer.interval for answer in answers)
    rows = [
        f"<tr><td>{verdict_tag(answer.verdict.name)}</td>"
        f"<td title='{escape(term_of(answer.gate).meaning)}'>{escape(term_of(answer.gate).title)}</td>"
        f"<td class='lens-number'>{format_value(answer.gate, answer.value)}</td>"
        + (f"<td class='lens-number'>{_interval_cell(answer)}</td>" if sure else "")
        + f"<td class='lens-number'>{format_threshold(answer)}</td>"
        f"<td class='lens-number'>{answer.sample_count:,}</td>"
        f"<td class='lens-words'>{escape(answer.reason)}</td>"
        f"<td>{short_digest(answer.evidence, files.get(answer.evidence, ''))}</td></tr>"
        for answer in answers
    ]
    interval = ("Interval",) if sure else ()
    return _table(caption, ("Verdict", "Gate", "Value", *interval, "Threshold", "Samples", "Why", "Evidence"), rows)


def _interval_cell(answer: Answer) -> str:
    """The bounds, and when pointed at what they rest on; nothing for a gate that has none."""
    interval = answer.interval
    if interval is None:
        return ""
    rests = (
        f"{interval.confidence:.1%} sure, from {interval.blocks} blocks of time; a value 10 % beyond the limit "
        f"would have failed with a probability of {interval.power:.0%}"
    )
    return f"<span title='{escape(rests)}'>{format_interval(answer.gate, interval)}</span>"


def evidence_table(night: Night, evidence: Iterable[Evidence], slices: Sequence[str]) -> str:
    """A row per slice with the files that its verdict rests on."""
    known = {item.path: item for item in evidence}
    rows = []
    for name in slices:
        folder = f"{night.folder}/{Slice.parse(name).slug}"
        cells = "".join(
            f"<td>{file_link(night.night_id, f'{folder}/{file}', words, known)}</td>"
            for file, words in (
                ("slice_validation.html", "read"),
                ("slice_validation.ipynb", ".ipynb"),
                ("samples.parquet", "samples"),
                ("control.parquet", "control"),
                ("measurement.json", "measurement"),
            )
        )
        rows.append(f"<tr><th scope='row'>{escape(name)}</th>{cells}</tr>")
    head = ("Slice", "Executed notebook", "Download", "Raw samples", "Of the control", "Measured numbers")
    return _table("Files that the verdict rests on, a row per slice", head, rows)


def file_link(night_id: str, path: str, words: str, known: Mapping[str, Evidence]) -> str:
    """A link to a recorded file with its digest when pointed at; a file that is not recorded is said so."""
    item = known.get(path)
    if item is None:
        return NOT_RECORDED
    title = f"{item.digest}, {item.size_bytes:,} bytes"
    href = escape(evidence_link(night_id, path))
    return f"<a href='{href}' target='_blank' title='{title}'>{escape(words)}</a>"


def nights_table(nights: Iterable[Night]) -> str:
    """A row per night, each linking to its page."""
    rows = [
        f"<tr><th scope='row'><a href='{night_link(night.night_id)}'>{escape(night.night_id)}</a></th>"
        f"<td>{verdict_tag(night_verdict(night))}</td><td>{escape(night.candidate.version)}</td>"
        f"<td>{short_digest(str(night.candidate.digest))}</td>"
        f"<td class='lens-words'>{escape(night.reason)}</td></tr>"
        for night in nights
    ]
    return _table("Nights, newest first", ("Night", "Verdict", "Candidate", "Digest", "Reason"), rows)


_WIDE = "why"
_VERDICT = "verdict"


def frame_table(
    frame: pd.DataFrame, caption: str, *, numbers: Collection[str] = (), links: Mapping[str, str] | None = None
) -> str:
    """A frame of words: its column ``verdict`` as tags, its column ``why`` with room, ``numbers`` to the right.

    ``links`` maps words of the first column to their addresses.
    """
    names = [str(name) for name in frame.columns]
    kinds = ["lens-number" if name in numbers else "lens-words" if name == _WIDE else "" for name in names]
    rows = []
    for first, *others in frame.itertuples(index=False):
        href = (links or {}).get(str(first))
        words = f"<a href='{escape(href)}'>{escape(str(first))}</a>" if href else escape(str(first))
        cells = "".join(map(_frame_cell, others, names[1:], kinds[1:]))
        rows.append(f"<tr><th scope='row'>{words}</th>{cells}</tr>")
    return _table(caption, [name[0].upper() + name[1:] for name in names], rows, kinds)


def _frame_cell(value: object, name: str, kind: str) -> str:
    """Only a verdict is ever a tag: a person who is called PASS is none."""
    text = f"{value:,}" if isinstance(value, int) else str(value)
    words = verdict_tag(text) if name == _VERDICT and text in VERDICT_SYMBOLS else escape(text)
    return f"<td class='{kind}'>{words}</td>" if kind else f"<td>{words}</td>"


def _table(caption: str, head: Sequence[str], rows: Iterable[str], kinds: Sequence[str] = ()) -> str:
    classes = [f" class='{kind}'" if kind else "" for kind in kinds] or [""] * len(head)
    heads = "".join(f"<th scope='col'{kind}>{escape(words)}</th>" for words, kind in zip(head, classes, strict=True))
    return (
        f"<div class='lens-scroll' tabindex='0' role='region' aria-label='{escape(caption)}'>"
        f"<table class='lens-table'><caption>{escape(caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
