"""Engines and servers that a drill starts are measured by nobody: coverage would double what they take."""

import os

import pytest


@pytest.fixture(autouse=True, scope="module")
def unmeasured():
    """Take coverage's word to child processes out of the environment."""
    kept = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    yield
    if kept is not None:
        os.environ["COVERAGE_PROCESS_CONFIG"] = kept
