"""The code-search engine that Lens releases by default: index a directory, search it, serve it.

It stands apart: it imports nothing of the release core and is spoken to over HTTP only.
"""

from typing import Final

__version__: Final = "1.0.0"
