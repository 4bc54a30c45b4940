"""A small source tree and an index of it, built once."""

from pathlib import Path

import pytest

from lens_core.engine.index import build_index
from lens_core.engine.search import CodeIndex, open_index

CART = """class Cart:
    def add_item(self, item):
        self.items.append(item)


async def getUserName(client):
    return await client.get("/user/name")
"""
CLIENT = """export class HttpClient {
  fetch(id: string): string { return id; }
}
"""


@pytest.fixture(scope="session")
def index_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two files; not to be changed."""
    root = tmp_path_factory.mktemp("tree")
    (root / "cart.py").write_text(CART)
    (root / "client.ts").write_text(CLIENT)
    out = tmp_path_factory.mktemp("built") / "index"
    build_index(root, out)
    return out


@pytest.fixture(scope="session")
def code_index(index_directory: Path) -> CodeIndex:
    """That index, opened."""
    return open_index(index_directory)
