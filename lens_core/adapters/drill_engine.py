"""A script that is ``python -m lens_core.engine`` in whatever home it is run: the engine's own command line."""

import sys
from importlib import import_module

if __name__ == "__main__":
    sys.exit(import_module("lens_core.engine.cli").main(sys.argv[1:]))
