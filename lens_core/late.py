"""Libraries that take half a second to load and that most commands never need: loaded at their first use.

The only place where an import does not stand at the top of a file. ``tests/architecture`` holds who may
ask for what.
"""

from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def late(name: str) -> ModuleType:
    """The module ``name``, loaded now if it was not yet; ImportError when there is none."""
    return import_module(name)
