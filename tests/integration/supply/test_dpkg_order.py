"""The order of Debian versions against dpkg itself."""

import random
import shutil
import subprocess

import pytest

from lens_core.supply.versions import debian

pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
_PIECES = (
    "0",
    "1",
    "9",
    "10",
    "007",
    ".",
    "~",
    "+",
    "a",
    "b",
    "rc",
    "dfsg",
    "~~",
    "+b1",
    "deb12u2",
    "-",
    "1.2",
    "-1",
    "Z",
)
_SAID = {-1: "lt", 0: "eq", 1: "gt"}


def versions(seed, count):
    """Made-up versions that dpkg accepts: they begin with a digit."""
    luck = random.Random(seed)  # noqa: S311 - examples, no secrets
    for _ in range(count):
        body = "".join(luck.choice(_PIECES) for _ in range(luck.randint(0, 6)))
        epoch = luck.choice(("", "", "", "0:", "1:"))
        yield f"{epoch}{luck.choice('0129')}{body}".rstrip("-") or "0"


def test_same_order_as_dpkg():
    """On 1,200 pairs of made-up versions dpkg says as we do, and each of the three answers occurs often."""
    pairs = list(zip(versions(1, 1000), versions(2, 1000), strict=True))
    pairs += [(left, left.replace("0", "00")) for left, _ in pairs[:200]]
    said = [_SAID[(debian(left) > debian(right)) - (debian(left) < debian(right))] for left, right in pairs]
    script = 'while read -r a o b; do dpkg --compare-versions "$a" "$o" "$b" || echo "$a $o $b"; done'
    lines = "".join(f"{left} {order} {right}\n" for (left, right), order in zip(pairs, said, strict=True))
    done = subprocess.run(["bash", "-c", script], input=lines, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert min(said.count(order) for order in _SAID.values()) > 50
