"""The portal as one ASGI app: pages, ``/health`` and evidence. Start: ``streamlit run portal/serve.py``."""

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import plotly.graph_objects  # noqa: F401  (loaded here, once, and not in the first visitor's request)
import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from lens_core import charts  # noqa: F401
from lens_core.errors import LensError
from portal.reading import lens, reviews
from portal.routes import ROUTES


@asynccontextmanager
async def _warm(_app: st.App) -> AsyncIterator[None]:
    """Open the ledger and the desk before the first visitor, then take what is loaded out of the collector's sight.

    Streamlit collects garbage after every run of a page; what never dies need not be looked at then
    (measured: four times the throughput with 25 viewers).
    """
    try:
        lens().nights()
        reviews()  # what the banner of every page asks
    except LensError as error:
        logging.getLogger(__name__).warning("the ledger cannot be read yet: %s", error.message)
    gc.collect()
    gc.freeze()
    yield


app = st.App(
    "app.py",
    routes=ROUTES,
    # Streamlit sends its scripts uncompressed; this is a third of the bytes of a first visit.
    middleware=[Middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)],
    lifespan=_warm,
)
