"""May it be promoted, if not why, who can give what is missing, and the place where people give it."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from lens_core import signoff_views
from lens_core.errors import LensError
from lens_core.model import Verdict
from lens_core.signoff.words import Glass, Level, Readiness, Recorded, Streak
from lens_core.views import OPEN, VERDICT_SYMBOLS
from portal import reading, sign_forms, signoff_tables, tables

_ENTRIES = 20
_LEVELS = {Level.LOW: "PASS", Level.MEDIUM: "INCONCLUSIVE", Level.HIGH: "FAIL"}


def show() -> None:
    """Draw the page."""
    st.title("Sign-off", anchor=False)
    versions = [one.version for one in reading.candidates()]
    if not versions:
        words = "Nothing was cut yet: there is no candidate, so nothing can be signed."
        st.html(tables.headline(OPEN, "No candidate yet", (words,), 2))
        st.code("lens cut-rc --version 1.0.0-rc.1", language="bash")
        return
    asked = st.query_params.get("candidate", "")
    if asked and asked not in versions:
        st.error("**No such candidate was cut here.** The list names those that were.")
        st.html("<a href='signoff'>Show the newest candidate</a>")
        return
    chosen = st.selectbox("Candidate", versions, key="candidate", bind="query-params", help="The newest comes first.")
    standing = reading.standing(chosen)
    readiness = standing.readiness
    _headline(readiness)
    _glass(readiness.glass)
    _blockers(readiness)
    _approvals(readiness)
    sign_forms.show(standing)
    _streak(readiness.streak)
    _risk(readiness)
    _timeline(readiness)
    _dossier(readiness)
    _statements(standing.case.statements)
    _audit(readiness.candidate)
    _verify_yourself(chosen)


def _headline(readiness: Readiness) -> None:
    version, standing = readiness.version, [one for one in readiness.blockers if not one.lifted]
    if not readiness.ready:
        verdict, what = Verdict.FAIL.name, f"{version} may not be promoted"
        said = f"{_count(len(standing), 'reason')} against it: {', '.join(dict.fromkeys(b.code for b in standing))}."
    elif readiness.blockers:
        verdict, what = Verdict.WAIVED.name, f"{version} may be promoted under break-glass"
        said = f"{_count(len(readiness.blockers), 'reason')} against it, lifted for a while."
    else:
        verdict, what = Verdict.PASS.name, f"{version} may be promoted"
        said = "All evidence is there and verifies, and four people have approved it."
    words = f"State: <strong>{readiness.state.value}</strong>. {escape(said)}"
    when = f"Verified {signoff_views.moment(readiness.at)}, candidate {tables.short_digest(readiness.candidate)}."
    st.html(tables.headline(verdict, f"{VERDICT_SYMBOLS[verdict]} {what}", (words, when), 2))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _glass(glass: Glass | None) -> None:
    if glass is None:
        return
    stands = "open" if glass.active else "over" if glass.countersigned_by else "asked for, granted by nobody yet"
    st.html(
        tables.facts_list(
            (
                ("Break-glass", f"<strong>{stands}</strong>"),
                ("Asked for by", escape(glass.requested_by)),
                ("Granted by", escape(glass.countersigned_by or "nobody")),
                ("Why", escape(glass.reason)),
                ("From", signoff_views.moment(glass.since)),
                ("Until", signoff_views.moment(glass.until)),
                ("Review", escape(glass.review or "none")),
            )
        )
    )


def _blockers(readiness: Readiness) -> None:
    if readiness.blockers:
        frame = signoff_views.blockers_frame(readiness.blockers)
        st.html(tables.frame_table(frame, "What is missing, and who can give it"))
    if readiness.warnings:
        st.html(tables.notes("Also worth knowing", readiness.warnings))


def _approvals(readiness: Readiness) -> None:
    st.subheader("Approvals", anchor="approvals")
    frame = signoff_views.approvals_frame(readiness)
    st.html(tables.frame_table(frame, "Four roles, four people, none of whom cut the candidate"))


def _streak(streak: Streak) -> None:
    st.subheader("Nights", anchor="nights")
    rows = [
        ("Consecutive nights", f"<strong>{streak.passed} of {streak.wanted}</strong>"),
        ("Dates used", f"{streak.used} of {streak.allowed}" + (", <strong>expired</strong>" if streak.expired else "")),
        ("Nights that count", ", ".join(map(_night_link, streak.nights)) or "none"),
        ("Run again after an ERROR", ", ".join(map(_night_link, streak.retried)) or "none"),
        ("Last night ended", signoff_views.moment(streak.ended_at, "not yet")),
    ]
    if streak.broken_by:
        rows.append(("Broken by", escape(streak.broken_by)))
    st.html(tables.facts_list(rows))
    if streak.chance_said:
        st.html(tables.paragraph(streak.chance_said))


def _night_link(named: str) -> str:
    night_id = named.split(" ", 1)[0]
    return f"<a href='{escape(tables.night_link(night_id))}'>{escape(night_id)}</a>"


def _risk(readiness: Readiness) -> None:
    risk = readiness.risk
    st.subheader("Risk", anchor="risk")
    verdict = _LEVELS[risk.level]
    title = f"{VERDICT_SYMBOLS[verdict]} {risk.level.name.lower()} risk ({risk.score:.2f} of 1)"
    st.html(tables.headline(verdict, title, (escape(risk.reason),), 4))
    if risk.factors:
        frame = signoff_views.factors_frame(risk)
        st.html(tables.frame_table(frame, "Factors of the risk, the heaviest first", numbers=("adds",)))


def _timeline(readiness: Readiness) -> None:
    st.subheader("When and how", anchor="plan")
    moments = signoff_views.timeline_lines(readiness.timeline)
    st.html(tables.facts_list((name.capitalize(), escape(words)) for name, words in moments))
    plan = readiness.plan
    if plan is None:
        st.markdown("There is no plan: none is made for a candidate whose risk is high or not known.")
        return
    st.html(tables.frame_table(signoff_tables.stages_frame(plan), "What a promotion would do"))
    copy = "Going back needs an untouched copy of the index, taken first." if plan.copy_first else ""
    st.html(tables.paragraph(f"{plan.said} {copy}".strip()))


def _dossier(readiness: Readiness) -> None:
    st.subheader("Dossier", anchor="dossier")
    if readiness.dossier is None:
        st.markdown("There is no cut that verifies, so there is nothing that one could sign.")
        return
    st.markdown("Whoever signs, signs exactly this. When one line of it changes, approvals lapse.")
    st.code(signoff_tables.dossier_lines(readiness.dossier), language=None, wrap_lines=True)


def _statements(recorded: Sequence[Recorded]) -> None:
    st.subheader("Statements", anchor="statements")
    if not recorded:
        st.markdown("Nobody has stated anything about this candidate yet.")
        return
    frame = signoff_tables.statements_frame(recorded)
    st.html(tables.frame_table(frame, "What people stated about this candidate, newest first"))


def _audit(candidate: str) -> None:
    st.subheader("Audit log", anchor="audit")
    try:
        found, entries = reading.audit(), reading.entries(candidate, _ENTRIES)
    except LensError as error:
        st.html(tables.paragraph(f"The log cannot be read, so nothing is believed of it: {error.message}"))
        return
    rows = (
        ("Stands", "<strong>✓ as it was written</strong>" if found.stands else "<strong>✕ it does not verify</strong>"),
        ("Entries", f"{found.entries:,}"),
        ("Head", f"<code class='lens-digest'>{escape(found.head)}</code>"),
        ("Newest entry", signoff_views.moment(found.latest, "none")),
        ("Head kept elsewhere", f"up to entry {found.anchored:,}" if found.anchored else "nowhere"),
    )
    st.html(tables.facts_list(rows))
    faults = [*found.faults, *found.mismatches.values()]
    if faults:
        st.html(tables.notes("What is wrong with it", faults[:_ENTRIES]))
    if found.warnings:
        st.html(tables.notes("Warnings", found.warnings))
    frame = signoff_tables.entries_frame(entries)
    st.html(tables.frame_table(frame, f"The newest entries on this candidate, at most {_ENTRIES}"))


def _verify_yourself(version: str) -> None:
    st.subheader("Verify it yourself", anchor="verify")
    st.markdown("Nobody has to believe this page; the command line recomputes all of it from the files and the ledger:")
    st.code(f"lens check-signoff {version}\nlens approvals {version}\nlens audit verify", language="bash")
