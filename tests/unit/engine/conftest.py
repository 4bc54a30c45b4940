"""A small source tree of every language, and an index of it, built once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lens_core.engine.index import build_index
from lens_core.engine.search import CodeIndex, open_index

SOURCES = {
    "shop/cart.py": '''"""Shopping."""
import json

MAX_ITEMS = 50


class Cart:
    """What somebody wants to buy."""

    def __init__(self, owner):
        self.owner = owner
        self.items = []

    @property
    def total_price(self):
        return sum(item.price for item in self.items)

    def add_item(self, item):
        if len(self.items) >= MAX_ITEMS:
            raise ValueError("full")
        self.items.append(item)


def parse_header_value(text):
    name, _, rest = text.partition(";")
    return name.strip().lower(), rest


async def fetchUserName(client):
    return await client.get("/user/name")
''',
    "shop/directory.py": """import os


def read_conf_dir(root):
    return os.listdir(root)


def unrelated(x):
    return x + 1
""",
    "web/client.ts": """import { Cart } from "./cart";

export interface Options {
  retries: number;
  onError(message: string): void;
}

export class HttpClient {
  private cache = new Map<string, string>();

  constructor(private options: Options) {}

  getUserName(id: string): string {
    const key = `user:${id}`;
    return this.cache.get(key) ?? "";
  }
}

export const parseQuery = (text: string) => {
  return new URLSearchParams(text);
};
""",
    "web/legacy.js": """function oldLogin(user) {
  return $http.post("/login", user);
}

module.exports.logout = function () {};
""",
    "web/Button.svelte": """<script lang="ts">
  export let label: string;

  function handleClick() {
    dispatch("press", label);
  }
</script>

<button on:click={handleClick}>{label}</button>
""",
}


def write_tree(root: Path, sources: dict[str, str]) -> Path:
    """Writes the sources under ``root`` and returns it."""
    for name, text in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def make_tree() -> Callable[[Path, dict[str, str]], Path]:
    """The function that writes a tree."""
    return write_tree


@pytest.fixture(scope="session")
def source_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of ``SOURCES``; not to be changed."""
    return write_tree(tmp_path_factory.mktemp("tree"), SOURCES)


@pytest.fixture(scope="session")
def index_directory(source_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the tree; not to be changed."""
    out = tmp_path_factory.mktemp("built") / "index"
    build_index(source_tree, out)
    return out


@pytest.fixture(scope="session")
def code_index(index_directory: Path) -> CodeIndex:
    """That index, opened."""
    return open_index(index_directory)
