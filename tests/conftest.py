"""What every test may use: builders of values with sensible defaults."""

import sys
from pathlib import Path

# Fakes and builders are shared by folders that are no packages.
sys.path.insert(0, str(Path(__file__).parent))
