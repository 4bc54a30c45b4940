"""The service held against its own OpenAPI description."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from lens_core.engine.app import create_app

PATHS = ["/search", "/outline", "/stats", "/health", "/metrics", "/compat/check"]


@pytest.fixture(scope="module")
def described(code_index):
    """The description, with the application behind it."""
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(code_index))


def test_every_path_is_fuzzed(described):
    """The list below is the list of the description."""
    assert sorted(described) == sorted(PATHS)


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        *((path, GenerationMode.POSITIVE) for path in PATHS),
        # The other paths take no parameters that could be wrong.
        *((path, GenerationMode.NEGATIVE) for path in ("/search", "/outline", "/compat/check")),
    ],
)
def test_the_service_keeps_its_description(described, path, mode):
    """For generated requests, valid or not, no answer is a server error or breaks its description."""
    strategy = described[path]["GET"].as_strategy(generation_mode=mode)

    # The same requests every time: what lands must not depend on luck.
    @settings(max_examples=50, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def holds(data):
        data.draw(strategy).call_and_validate()

    holds()
