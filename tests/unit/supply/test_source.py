"""The list of a source tree: one form, read back as it was written."""

import pytest

from lens_core.errors import IntegrityError
from lens_core.supply.source import read_source, write_source

FILES = {"b/ü.py": "2" * 64, "a.py": "1" * 64}


def test_the_list_is_read_back():
    """Order of insertion does not matter, the bytes are one."""
    assert read_source(write_source(FILES)) == FILES
    assert write_source(dict(reversed(FILES.items()))) == write_source(FILES)


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b'{"files":{}}', b'{"files":[]}', write_source(FILES) + b"\n", b"[" * 100000]
)
def test_anything_else_is_refused(content):
    """An empty list, another form or no list at all is an IntegrityError, never an empty tree."""
    with pytest.raises(IntegrityError, match="list of source files"):
        read_source(content)
