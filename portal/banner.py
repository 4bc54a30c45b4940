"""Break-glass is loud: what every page says first while it is open, or while nobody has reviewed it."""

from datetime import datetime
from html import escape
from urllib.parse import urlencode

import streamlit as st

from lens_core.errors import LensError
from lens_core.signoff.break_glass import Review
from portal import reading


def show() -> None:
    """Draw the banner, if there is anything to say; not knowing is something to say."""
    try:
        open_ones, now = reading.reviews(), reading.now()
    except LensError as error:
        words = f"<p><strong>Whether break-glass is open is not known:</strong> {escape(error.message)}</p>"
        st.html(f"<div class='lens-glass' role='alert'>{words}</div>")
        return
    if open_ones:
        words = "".join(f"<p>{_said(one, now)}</p>" for one in open_ones)
        st.html(f"<div class='lens-glass' role='alert'>{words}</div>")


def _said(one: Review, now: datetime) -> str:
    version, link = escape(one.version), urlencode({"candidate": one.version})
    stands = "is over, and nobody has reviewed it</strong>"
    if now < one.until:
        stands = f"is open</strong> until {one.until:%H:%M} UTC: it may do with less evidence"
    return (
        f"<strong>BREAK-GLASS on {version} {stands}. Asked for by {escape(one.requested_by)}, granted by "
        f"{escape(one.countersigned_by)}: {escape(one.why)}. A third person must review it until "
        f"{one.due:%Y-%m-%d %H:%M} UTC. <a href='signoff?{link}'>Look at it</a>."
    )
