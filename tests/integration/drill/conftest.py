"""Engines and servers that a drill starts are measured by nobody: coverage would double what they take."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def _unmeasured(unmeasured):
    """See ``unmeasured``."""
