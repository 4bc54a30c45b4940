"""What was cut: whether it is as it was signed, what its gates say, what is in it, and what its drills found."""

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

import streamlit as st

from lens_core import charts, drill_charts
from lens_core.candidate_views import (
    NO_IMAGE,
    digest_lines,
    drills_frame,
    findings_frame,
    list_frame,
    packages_in_words,
    worst_first,
)
from lens_core.candidates import SEVERITIES, Cut, Known
from lens_core.drill_views import CELL_WORDS, answer_frame, held_frame, way_back_frame
from lens_core.drills.reader import DrillVerification
from lens_core.errors import LensError
from lens_core.model import Release, Verdict
from lens_core.views import OPEN, VERDICT_SYMBOLS, VERDICT_WORDS, answers_in_words
from portal import reading, tables

_LOOKED_AT = 8
"""So many of the newest cuts are verified for the list; an older one is when it is chosen."""
_FAULTS = 10


def show() -> None:
    """Draw the page."""
    st.title("Candidates", anchor=False)
    known = reading.candidates()
    if known:
        _candidates(known)
    else:
        words = "Nothing was cut yet: there is no candidate, so nothing has passed."
        st.html(tables.headline(OPEN, "No candidate yet", (words,), 2))
        st.markdown("Cut the first one, and reload this page when it is done:")
        st.code("lens cut-rc --version 1.0.0-rc.1", language="bash")
    others = reading.only_drilled()
    if others:
        st.markdown(f"Drilled, and never cut: {', '.join(others)}. `lens drill show {others[0]}` shows the drill.")


def _candidates(known: Sequence[Known]) -> None:
    asked = st.query_params.get("candidate", "")
    versions = [one.version for one in known]
    if asked and asked not in versions:
        st.error(f"**No candidate “{asked}” was cut here.** The list names those that were.")
        st.html(f"<a href='{_link(versions[0])}'>Show the newest candidate</a>")
        return
    cuts = {one.version: reading.cut(one) for one in known[:_LOOKED_AT]}
    chosen = st.selectbox("Candidate", versions, key="candidate", bind="query-params", help="The newest comes first.")
    one = next(one for one in known if one.version == chosen)
    cut = cuts[one.version] = cuts.get(one.version) or reading.cut(one)
    fallen = [version for version, found in cuts.items() if not found.release]
    if fallen:
        st.error(f"**Do not use {', '.join(fallen)}.** What lies here is not what a trusted key signed.")
    frame = list_frame(known, cuts)
    st.html(tables.frame_table(frame, "Candidates, newest first", links={name: _link(name) for name in versions}))
    if cut.release is None:
        _fallen(cut, one.told)
    else:
        _standing(one, cut, cut.release)
    _verify_yourself(one)


def _link(version: str) -> str:
    return "candidates?" + urlencode({"candidate": version})


def _fallen(cut: Cut, told: Release | None) -> None:
    """Of a cut that does not verify nothing is shown but its faults, and what the ledger remembers."""
    title = f"{VERDICT_SYMBOLS['FAIL']} {cut.version} does not verify"
    words = "It is not what a trusted key signed. Nothing in it is believed, so nothing in it is shown."
    st.html(tables.headline(Verdict.FAIL.name, title, (words,), 2))
    st.code("\n".join(cut.faults[:_FAULTS]), language=None, wrap_lines=True)
    if len(cut.faults) > _FAULTS:
        st.markdown(f"And {len(cut.faults) - _FAULTS} more faults; `lens verify {cut.version}` names them all.")
    st.markdown("If only its key is unknown here, compare the key with its owner, then `lens keys trust FILE`.")
    if told:
        st.markdown("The ledger remembers these digests of it:")
        st.code(digest_lines(told), language=None, wrap_lines=True)


def _standing(one: Known, cut: Cut, release: Release) -> None:
    verdict = release.verdict.name
    advances = "These gates let it advance." if release.verdict.advances else "It does not advance."
    said = f"{VERDICT_WORDS[verdict].capitalize()}. {advances} {answers_in_words(cut.answers)}"
    title = f"{VERDICT_SYMBOLS[verdict]} {verdict}: {one.version}"
    st.html(tables.headline(verdict, title, (said, escape(release.reason)), 2))
    pushed = one.told.pushed_to if one.told else ""
    st.html(
        tables.facts_list(
            (
                ("Signed", f"{cut.files} files, {cut.size_bytes / 1e6:.1f} MB, all as they were signed"),
                ("Commit", tables.short_digest(release.candidate.commit)),
                ("Wheel", tables.short_digest(str(release.candidate.digest))),
                ("Image", tables.short_digest(str(release.image)) if release.image else NO_IMAGE),
                ("Cut", f"{release.cut_at:%d %B %Y, %H:%M} UTC by {escape(release.cut_by or 'nobody named')}"),
                ("Pushed to", escape(pushed or ("nowhere" if one.told else "not known: it is not in the ledger"))),
            )
        )
    )
    st.code(digest_lines(release), language=None, wrap_lines=True)
    st.subheader("Gates", anchor="gates")
    st.html(tables.answers_table(worst_first(cut.answers), "What each gate says, worst first", {}))
    _inventory(one)
    _drills(one, release)


def _inventory(one: Known) -> None:
    st.subheader("Contents", anchor="contents")
    try:
        found = reading.inventory(one)
    except LensError as error:  # the rest of the page does not need it
        st.error(f"**The contents cannot be counted.** {error.message}")
        return
    st.markdown(packages_in_words(found.packages))
    if found.searched:
        frame = findings_frame(found.searched)
        st.html(tables.frame_table(frame, "Findings by who looked, and by severity", numbers=SEVERITIES))
    else:
        st.markdown("Nobody looked for weaknesses: how many there are is not known.")


def _drills(one: Known, release: Release) -> None:
    st.subheader("Compatibility drill", anchor="drill")
    try:
        drills = reading.drills(one, release.candidate.digest.hex)
    except LensError as error:
        st.error(f"**The drills cannot be read.** {error.message}")
        return
    if not drills:
        words = "Whether it opens what earlier versions wrote, and whether there is a way back, is not known."
        title = f"{VERDICT_SYMBOLS['INCONCLUSIVE']} Not drilled yet"
        st.html(tables.headline(Verdict.INCONCLUSIVE.name, title, (words,), 4))
        st.code(f"lens compat-drill --version {one.version}", language="bash")
        return
    _latest(drills[-1])
    if len(drills) > 1 or not drills[-1].stands:
        st.html(tables.frame_table(drills_frame(drills), "Drills of this candidate, newest first"))


def _latest(drill: DrillVerification) -> None:
    record = drill.record
    if record is None or not drill.stands:
        words = "What it says is not believed, so it is not shown: nothing is known about the way back."
        title = f"{VERDICT_SYMBOLS['FAIL']} The latest drill does not verify"
        st.html(tables.headline(Verdict.FAIL.name, title, (words,), 4))
        st.code("\n".join(map(str, drill.faults[:_FAULTS])), language=None, wrap_lines=True)
        return
    verdict = record.verdict.name
    copy = "proven" if record.copy_first else "not proven"
    back = (
        f"Rollback-safe: <strong>{record.rollback_safe.value}</strong>. The way back by a copy that is taken first is "
        f"<strong>{copy}</strong> for all previous versions."
    )
    made = (
        f"Drilled {record.drilled_at:%d %B %Y, %H:%M} UTC by {escape(record.drilled_by or 'nobody named')}, "
        f"{drill.answers} answers judged again from what was observed."
    )
    title = f"{VERDICT_SYMBOLS[verdict]} {verdict}: {VERDICT_WORDS[verdict]}"
    st.html(tables.headline(verdict, title, (back, made), 4))
    if record.dirty:
        st.error("**DIRTY working tree.** It held changes that are not in what was drilled.")
    absent = [words for cell, words in CELL_WORDS.items() if cell not in record.rules.cells]
    if absent:
        st.warning(f"**Not a full drill.** Nobody asked about: {', '.join(absent)}.")
    st.plotly_chart(
        charts.inked(drill_charts.drill_matrix(answer_frame(record)), dark=st.context.theme.type == "dark"),
        theme=None,
        key="matrix",
        config={"displayModeBar": False},
        alt="What each previous version's index and clients meet; the tables below say what did not pass",
    )
    st.html(tables.frame_table(way_back_frame(record), "The way back to each previous version"))
    held = held_frame(record)
    if held.empty:
        st.markdown("Every cell of every previous version has passed.")
    else:
        st.html(tables.frame_table(held, "Cells that are not a plain PASS, worst first"))


def _verify_yourself(one: Known) -> None:
    st.subheader("Verify it yourself", anchor="verify")
    st.markdown("This page has recomputed it offline with the keys that are trusted here. Nobody has to believe that:")
    lines = [f"lens verify {one.version}"]
    if one.told and one.told.pushed_to:
        lines.append(f"lens verify {one.version} --registry")
    lines.append(f"bash verify.sh -k trusted-public-key.pem -v {one.version} releases/{one.version}")
    st.code("\n".join(lines), language="bash")
    st.markdown(
        "The last line needs no Lens, only bash, openssl and sha256sum. The `verify.sh` in a cut is itself part of "
        "what is verified: take one from elsewhere, and the key from its owner."
    )
