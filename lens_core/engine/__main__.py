"""``python -m lens_core.engine index|search|serve|migrate``."""

import sys

from lens_core.engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
