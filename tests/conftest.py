"""What every test may use: the fakes beside this file, and one rule for property tests."""

import os
import sys
from pathlib import Path

# Two threads of linear algebra on two cores wait for each other more than they work; set before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import settings

# Fakes and builders are shared by folders that are no packages.
sys.path.insert(0, str(Path(__file__).parent))

# No property is about time. In CI the same examples run every time: what lands must not depend on luck.
settings.register_profile("laptop", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")
