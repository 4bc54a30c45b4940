"""What every test may use: the fakes beside this file, and one rule for property tests."""

import os
import sys
import tempfile
from pathlib import Path

# Two threads of linear algebra on two cores wait for each other more than they work; set before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# Every ledger signs its audit log with a key of its own, which lies with the user's configuration: not with yours.
_config = tempfile.TemporaryDirectory(prefix="lens-tests-config-")
os.environ["XDG_CONFIG_HOME"] = _config.name

# Fakes and builders are shared by folders that are no packages.
sys.path.insert(0, str(Path(__file__).parent))

# No property is about time. In CI the same examples run every time: what lands must not depend on luck.
settings.register_profile("laptop", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")

# These ask one container engine what it holds, so they run in one process, one after the other.
_ENGINE = {"test_image.py", "test_registry_pull.py", "test_cut_rc.py"}

# These do one thing hundreds of times, and being measured doubles their time: what they run is measured where it is
# tested piece by piece.
_REPEATING = {
    "test_attacks.py",
    "test_check_signoff.py",
    "test_dying.py",
    "test_fuzz.py",
    "test_index_mutations.py",
    "test_known_failures.py",
    "test_leases.py",
    "test_notebook_runner.py",
    "test_portal_candidates.py",
    "test_portal_signoff.py",
    "test_registry_tampering.py",
    "test_scanners.py",
    "test_tampered_images.py",
    "test_troubles.py",
}


def pytest_collection_modifyitems(config, items):
    """Take laws and lists of attacks out of the measure of coverage, where there is one."""
    for item in items if not config.getoption("no_cov", default=True) else ():
        if item.path.name in _REPEATING or "property" in item.path.parts:
            item.add_marker(pytest.mark.no_cover)


class _ByFile(LoadScopeScheduling):
    """A file stays in one process, for what it shares is made once."""

    def _split_scope(self, nodeid):
        path = nodeid.partition("::")[0]
        return "engine" if path.rpartition("/")[2] in _ENGINE else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Marks of xdist's own groups are not heard by this pytest, so the groups are told to the scheduler itself."""
    return _ByFile(config, log)


@pytest.fixture(scope="module")
def unmeasured():
    """Take coverage's word to child processes out of the environment: their time counts, other tests run their code."""
    kept = os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    yield
    if kept is not None:
        os.environ["COVERAGE_PROCESS_CONFIG"] = kept
