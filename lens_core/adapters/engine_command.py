"""A script for engine homes: it is the command line of whatever engine the home holds.

Nothing of Lens is imported here, as the release core and the engine do not import each other.
"""

import runpy

if __name__ == "__main__":
    runpy.run_module("lens_core.engine", run_name="__main__", alter_sys=True)
