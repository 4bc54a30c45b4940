"""What each scanner reads, and the canary that it must find in the same run.

A canary is a small file with known findings, scanned beside the tree in one invocation. One of its findings
always carries the tool's own comment of acceptance: a run that honours such comments would miss it, and it is
Lens that weighs them, in the open.
"""

from dataclasses import dataclass
from posixpath import basename

BANDIT, RUFF, SECRETS, ZIZMOR, HADOLINT, SEMGREP, LINT = (
    "bandit",
    "ruff",
    "detect-secrets",
    "zizmor",
    "hadolint",
    "semgrep",
    "lint",
)
SCANNERS = (BANDIT, RUFF, SECRETS, ZIZMOR, HADOLINT)
"""The scanners that every cut is expected to run; semgrep joins where it is installed."""
BINARY = (
    *(".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".whl", ".png", ".jpg", ".jpeg", ".gif", ".ico", ".webp", ".pdf"),
    *(".woff", ".woff2", ".ttf", ".otf", ".parquet", ".npy", ".so", ".pyc", ".sig"),
)
"""Names of files that hold no text: detect-secrets has nothing to read in them. All others must be UTF-8."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A file of known content and what must be found in it: pairs of rule and line."""

    path: str
    content: str
    expected: tuple[tuple[str, int], ...]


_PYTHON = """import subprocess
subprocess.call("ls " + name, shell=True)
exec(name)
subprocess.call("ls " + name, shell=True)  # nosec B602  # noqa: S602  # nosemgrep: process-through-a-shell
"""
# Split, so that this file itself holds no secret.
_SECRETS = 'KEY = "AKIAZ4QX7RMT2WVB5N3D"\nPEM = "-----BEGIN RSA PRIVATE KEY-----"  # pragma: allowlist secret\n'
_WORKFLOW = """name: canary
on: pull_request
permissions: {}
jobs:
  canary:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4  # zizmor: ignore[unpinned-uses]
      - run: echo "${{ github.event.pull_request.title }}"
"""
_DOCKERFILE = """FROM debian:latest
# hadolint ignore=DL3004
RUN sudo true
"""
CANARIES = {
    BANDIT: Canary("python.py", _PYTHON, (("B602", 2), ("B102", 3), ("B602", 4))),
    RUFF: Canary("python.py", _PYTHON, (("S602", 2), ("S102", 3), ("S602", 4))),
    SECRETS: Canary("secrets.py", _SECRETS, (("AWS Access Key", 1), ("Private Key", 2))),
    ZIZMOR: Canary(".github/workflows/canary.yml", _WORKFLOW, (("unpinned-uses", 8), ("template-injection", 9))),
    HADOLINT: Canary("Dockerfile", _DOCKERFILE, (("DL3007", 1), ("DL3004", 3))),
    SEMGREP: Canary("python.py", _PYTHON, (("process-through-a-shell", 2), ("process-through-a-shell", 4))),
    LINT: Canary("canary_of_lint.py", "import os\nundefined()\n", (("F401", 1), ("F821", 2))),
}
"""The canary of each scanner. Lint's lies inside the copied tree, so that the project's own rules hold for it."""


def reads(scanner: str, path: str) -> bool:
    """True when ``path`` (relative, with ``/``) is a file of the kind that ``scanner`` must read."""
    name = basename(path)
    match scanner:
        case "zizmor":
            workflow = path.startswith(".github/workflows/") and path.count("/") == 2  # noqa: PLR2004 (no deeper)
            return name.endswith((".yml", ".yaml")) and (workflow or name in {"action.yml", "action.yaml"})
        case "hadolint":
            named = name in {"Dockerfile", "Containerfile"} or name.startswith("Dockerfile.")
            return (named or name.lower().endswith(".dockerfile")) and not name.endswith(".dockerignore")
        case "detect-secrets":
            return not name.endswith(BINARY)
        case _:
            return name.endswith((".py", ".pyi"))
