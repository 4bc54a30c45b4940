"""Break-glass is loud: what every page says first while it is open, or while nobody has reviewed it."""

from datetime import datetime
from html import escape
from urllib.parse import urlencode

import streamlit as st

from lens_core.errors import LensError
from lens_core.signoff.words import Recorded
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


def _said(one: Recorded, now: datetime) -> str:
    made = one.statement
    version, link = escape(made.dossier.version), urlencode({"candidate": made.dossier.version})
    if one.fault:
        return f"<strong>BREAK-GLASS on {version} is not believed</strong>, it opens nothing: {escape(one.fault)}"
    said = "is over, and nobody has reviewed it</strong>"
    if made.expires and now < made.expires:
        said = f"is open</strong> until {made.expires:%H:%M} UTC: less evidence is asked"
    return (
        f"<strong>BREAK-GLASS on {version} {said}. Granted by {escape(made.person)}: {escape(made.reason)} "
        f"<a href='signoff?{link}'>Look at it</a>."
    )
