"""The frame around the pages: name, icon, style, navigation, and how an error is told."""

from pathlib import Path

import streamlit as st

from lens_core.errors import LensError
from portal import banner
from portal.views import candidates, last_night, signoff, trends

_HERE = Path(__file__).parent

# The icon is a file: a named one would be fetched from a host outside.
st.set_page_config(page_title="Lens", page_icon=str(_HERE / "lens.png"), layout="wide")
st.html(_HERE / "lens.css")

_night_page = st.Page(last_night.show, title="Last night", default=True)
_trends_page = st.Page(lambda: trends.show(_night_page), title="Latency trends", url_path="trends")
_candidates_page = st.Page(candidates.show, title="Candidates", url_path="candidates")
_signoff_page = st.Page(signoff.show, title="Sign-off", url_path="signoff")
_page = st.navigation([_night_page, _trends_page, _candidates_page, _signoff_page], position="top")

banner.show()
try:
    _page.run()
except LensError as error:
    st.error(f"**This page cannot be shown.** {error.message}")
    if error.hint:
        st.markdown(error.hint)
