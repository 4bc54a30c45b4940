"""The page that answers first: what did the night say, about what, and why."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from lens_core import charts
from lens_core.errors import InvalidInput, LensError
from lens_core.model import Answer, Night, NightState, Verdict
from lens_core.views import (
    GATE_TERMS,
    OPEN,
    VERDICT_SYMBOLS,
    VERDICT_WORDS,
    answers_in_words,
    format_ms,
    night_title,
    night_verdict,
    recomputed_verdict,
    slice_gates,
    term_of,
    verdict_matrix,
)
from portal import reading, tables

_SHOWN_REASONS = 8
_NAMED_ABSENT = 3
_TAIL_GATE = "tail_ratio"


def show() -> None:
    """Draw the page."""
    nights = reading.nights()
    if not nights:
        _empty()
        return
    asked = st.query_params.get("night", "")
    if asked and asked not in [night.night_id for night in nights] and not _resolve(asked):
        return
    left, right = st.columns([4, 1], vertical_alignment="top")
    with right:
        ids = [night.night_id for night in nights]
        # The night that stands for the newest date: one over fewer slices does not hide the full one.
        first = ids.index(reading.find_night(str(nights[0].night_date)).night_id)
        chosen = st.selectbox(
            "Night", ids, index=first, key="night", bind="query-params", help="The date and its attempt."
        )
    night = next(night for night in nights if night.night_id == chosen)
    record = reading.record(night)
    with left:
        _headline(record)
    _warnings(night, record.answers)
    st.html(tables.binding_list(night))
    _reasons(night, record.answers)
    slice_name = _matrix(night, record.answers)
    _slice(record, slice_name)
    _evidence(record)


def _empty() -> None:
    words = "This ledger is empty: nothing was judged, so nothing has passed."
    st.html(tables.headline(OPEN, "No night yet", (words,)))
    st.markdown("Run the first night, and reload this page when it is done:")
    st.code("lens nightly-validation", language="bash")


def _resolve(asked: str) -> bool:
    """Turn a date in the address into the night that it means; False when it means none."""
    try:
        st.session_state["night"] = reading.find_night(asked).night_id
    except InvalidInput as error:
        st.error(f"**No night “{asked}” in this ledger.** {error.message}")
        st.html(f"<a href='./'>Show the newest night</a> {error.hint and '· ' + escape(error.hint)}")
        return False
    return True


def _headline(record: reading.NightRecord) -> None:
    night = record.night
    verdict = night_verdict(night)
    version = escape(night.candidate.version)
    said = (
        f"Candidate <strong>{version}</strong>: {VERDICT_WORDS[verdict]}. {_consequence(night)} "
        f"{answers_in_words(record.answers)}"
    )
    title = f"{VERDICT_SYMBOLS[verdict]} {verdict}: night of {night_title(night)}"
    st.html(tables.headline(verdict, title, (said, escape(night.reason), _report_links(record))))


def _consequence(night: Night) -> str:
    if night.state is NightState.OPEN:
        return "Reload to see more."
    return "This night lets it advance." if night.verdict and night.verdict.advances else "It does not advance."


def _report_links(record: reading.NightRecord) -> str:
    """The report as a page and as a notebook; nothing when neither is recorded."""
    night = record.night
    known = {item.path: item for item in record.evidence}
    names = (("html", "Open the nightly report"), ("ipynb", "download it as .ipynb"))
    paths = [(f"{night.folder}/report/nightly_report.{ending}", words) for ending, words in names]
    links = [tables.file_link(night.night_id, path, words, known) for path, words in paths if path in known]
    return " · ".join(links) or "No report is recorded for this night."


def _warnings(night: Night, answers: Sequence[Answer]) -> None:
    """What nobody may overlook."""
    if night.candidate.dirty:
        st.error(
            "**DIRTY working tree.** The night judged what the commit builds to; the changes that lay in the "
            "working tree beside it were not part of what ran."
        )
    expected = reading.catalogue_slices()
    absent = [name for name in expected if name not in night.slices]
    if absent:
        named = ", ".join(absent[:_NAMED_ABSENT]) + (" and others" if len(absent) > _NAMED_ABSENT else "")
        st.warning(
            f"**Not a full night.** {len(expected) - len(absent)} of the {len(expected)} slices of the catalogue "
            f"were asked, without {named}."
        )
    worst = recomputed_verdict(night, answers)
    recorded = night_verdict(night)
    if recorded != OPEN and Verdict[recorded].value < worst.value:
        st.error(
            f"**Do not trust this verdict.** The ledger says {recorded}, but the worst of its answers is "
            f"{worst.name}. Recompute it with `lens night verify {night.night_id}`."
        )


def _reasons(night: Night, answers: Sequence[Answer]) -> None:
    first, rest = tables.reasons_table(answers, night, _SHOWN_REASONS)
    if not first:
        if answers:
            st.markdown("Every gate that was asked has passed.")
        return
    st.subheader("Why", anchor="why")
    st.html(first)
    if rest:
        with st.expander("More reasons"):
            st.html(rest)


def _matrix(night: Night, answers: Sequence[Answer]) -> str:
    """The matrix with its two controls; returns the slice that was chosen (empty for none)."""
    st.subheader("Slices and gates", anchor="slices")
    matrix = verdict_matrix(answers, night.slices)
    names = [str(name) for name in matrix.index]
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        chosen = st.selectbox(
            "Slice",
            names,
            index=None,
            key="slice",
            bind="query-params",
            placeholder="Choose one to see its answers",
        )
    with right:
        only = st.toggle("Only what did not pass", key="only", bind="query-params")
    if only:
        held = matrix != Verdict.PASS.name
        matrix = matrix.loc[held.any(axis=1), held.any(axis=0)]
    if matrix.empty:
        st.markdown("Every slice passed every gate.")
    else:
        st.html(tables.matrix_table(matrix, answers, night.night_id, chosen or ""))
    whole = [answer for answer in answers if not answer.slice]
    if whole:
        st.html(tables.answers_table(whole, "Gates of the whole night", {}))
    with st.expander("What the words mean"):
        _glossary([*slice_gates(answers), *(answer.gate for answer in whole)])
    return chosen or ""


def _glossary(gates: Sequence[str]) -> None:
    verdicts = " · ".join(
        f"{VERDICT_SYMBOLS[name]} **{name}**: {words}" for name, words in VERDICT_WORDS.items() if name != OPEN
    )
    st.markdown(verdicts)
    lines = [f"- **{term_of(gate).title}**: {term_of(gate).meaning}" for gate in gates if gate in GATE_TERMS]
    st.markdown("\n".join(lines))


def _slice(record: reading.NightRecord, name: str) -> None:
    if not name:
        return
    night = record.night
    st.subheader(name, anchor="slice")
    answers = [answer for answer in record.answers if answer.slice == name]
    files = {str(item.digest): tables.evidence_link(night.night_id, item.path) for item in record.evidence}
    if answers:
        st.html(tables.answers_table(answers, f"Answers for {name}", files))
    else:
        st.markdown("**No answer**: no gate has judged this slice, so it is INCONCLUSIVE.")
    if night.state is NightState.CLOSED and st.toggle("Draw its latencies", key="draw", bind="query-params"):
        _latencies(night, name, answers)


def _latencies(night: Night, name: str, answers: Sequence[Answer]) -> None:
    try:
        samples = reading.samples(night.night_id, name)
    except LensError as error:  # the rest of the page does not need them
        st.error(f"**The samples cannot be drawn.** {error.message}")
        return
    if samples.empty:
        st.markdown("No samples were kept of this slice.")
        return
    kept = samples.loc[samples["set_aside"] == "", "latency_ms"]
    if kept.empty:
        st.markdown("Every round of this slice was set aside: the machine stalled all the time.")
        return
    p95, p99 = (float(kept.quantile(q)) for q in (0.95, 0.99))
    ratio = next((a.threshold for a in answers if a.gate == _TAIL_GATE and a.threshold), None)
    limit = ratio * p95 if ratio else None
    dark = st.context.theme.type == "dark"
    st.plotly_chart(charts.inked(charts.latency_ecdf(samples, p95, p99, limit), dark=dark), theme=None, key="ecdf")
    st.plotly_chart(charts.inked(charts.latency_over_time(samples), dark=dark), theme=None, key="over_time")
    st.markdown(f"Drawn from the raw samples: P95 {format_ms(p95)}, P99 {format_ms(p99)}, n = {len(kept):,}.")


def _evidence(record: reading.NightRecord) -> None:
    night = record.night
    st.subheader("Evidence", anchor="evidence")
    if not record.evidence:
        st.markdown("No file was recorded for this night.")
        return
    st.html(tables.evidence_table(night, record.evidence, record.slices))
    with st.expander("Full digests, to copy"):
        st.code(
            f"candidate  {night.candidate.digest}\ncommit     {night.candidate.commit}\n"
            f"data set   {night.dataset_digest}\npolicy     {night.policy_digest}",
            language=None,
        )
