"""A scanner that misbehaves on command: replays what the real one printed, with one thing wrong.

fake_scanner.py record FOLDER COMMAND...   runs the real scanner and keeps what it said
fake_scanner.py FAULT FOLDER ...           says it again, except for the fault
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ABOUT = ("--help", "--show-settings")
CANARIES = (
    *("tree/canary_of_lint.py", "canary/python.py", "canary/secrets.py", "canary/Dockerfile"),
    "canary/.github/workflows/canary.yml",
)


def main():
    """Record or replay."""
    fault, folder, *rest = sys.argv[1:]
    part = Path(folder) / ("about" if any(word in rest for word in ABOUT) else "main")
    if fault == "record":
        done = subprocess.run(rest, capture_output=True, check=False)
        kept = {"out": done.stdout.decode(), "err": done.stderr.decode(), "code": done.returncode}
        part.write_text(json.dumps(kept).replace(str(Path.cwd()), "@ROOT@"))
        said = (kept["out"], kept["err"], kept["code"])
    else:
        kept = json.loads(part.read_text().replace("@ROOT@", str(Path.cwd())))
        said = FAULTS[fault](kept["out"], kept["err"], kept["code"], part.name == "about")
    out, err, code = said
    sys.stdout.buffer.write(out if isinstance(out, bytes) else out.encode())
    sys.stderr.write(err)
    sys.stdout.flush()
    os._exit(code)


def edited(change):
    """A fault that changes the main document, whatever its form, and leaves the rest."""

    def fault(out, err, code, about):
        if about:
            return out, err, code
        document = json.loads(out)
        return json.dumps(change(document) or document), err, code

    return fault


def run_of(document):
    """The run of a SARIF document; the document itself of the two that print none."""
    return document["runs"][0] if "runs" in document else document


def find_nothing(document):
    """No findings at all, as after rules that could not be read."""
    run_of(document)["results"] = {} if "plugins_used" in document else []


def miss_canary(document):
    """No findings in the canary; those of the tree stay."""
    run = run_of(document)
    if "plugins_used" in document:
        run["results"] = {path: found for path, found in run["results"].items() if "canary" not in path}
    else:
        run["results"] = [entry for entry in run["results"] if "canary" not in json.dumps(entry)]


def other_tool(document):
    """A well-formed answer, of another tool."""
    if "runs" in document:
        run_of(document)["tool"]["driver"]["name"] = "Flake9"
        return document
    return {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "Bandit"}}, "results": []}]}


def other_version(document):
    """The same answer, of a version that is not the installed one."""
    if "runs" in document:
        run_of(document)["tool"]["driver"]["version"] = "0.0.1"
    else:
        document["version"] = "0.0.1"


def no_rules(out, err, code, about):
    """Nothing is said about rules, wherever this tool speaks of them."""
    if about:
        return "", err, code
    document = json.loads(out)
    if "plugins_used" in document:
        document["plugins_used"] = []
    if "time" in document:
        document["time"]["rules"] = []
    if run_of(document).get("tool", {}).get("driver", {}).get("name") == "Hadolint":
        run_of(document)["results"] = []
    return json.dumps(document), err.replace("scheduling", "skipping"), code


def renamed(out, err, code, about, name):
    """Speak of ``name`` where the first file of the tree was meant."""
    if about:
        return out, err, code
    for path in ("tree/a.py", "tree/.github/workflows/ci.yml", "tree/Dockerfile"):
        out, err = out.replace(path, name), err.replace(path, name)
    return out, err, code


def skip_file(out, err, code, about):
    """A file of the tree is not read, and the exit code says that all is well."""
    return renamed(out, err, code, about, next((place for place in CANARIES if place in out + err), ""))


def hang(*_):
    """Say nothing, for ever."""
    time.sleep(3600)


def crash(*_):
    """End as a program with a broken extension module ends."""
    os.kill(os.getpid(), signal.SIGKILL)


def ending(code):
    """End with another exit code, the output being as always."""

    def fault(out, err, *_):
        return out, err, code

    return fault


def printing(change):
    """Print something else in place of the document, with the exit code that says that all is well."""

    def fault(out, err, code, about):
        return out if about else change(out), err, code

    return fault


FAULTS = {
    "none": lambda *said: said[:3],
    "crash": crash,
    "exit 3": ending(3),
    "exit 7 as with bad rules": ending(7),
    "prints nothing": printing(lambda out: out[:0]),
    "truncated": printing(lambda out: out[: len(out) // 2]),
    "not UTF-8": printing(lambda out: out.encode("utf-16")),
    "two documents": printing(lambda out: out + out),
    "an HTML page": printing(lambda out: "<html>404 Not Found</html>" + out[:0]),
    "null": printing(lambda out: "null" + out[:0]),
    "nested too deep": printing(lambda out: "[" * 100000 + out),
    "finds nothing": edited(find_nothing),
    "misses the canary": edited(miss_canary),
    "another tool": edited(other_tool),
    "another version": edited(other_version),
    "no rules": no_rules,
    "skips a file": skip_file,
    "yesterday's tree": lambda *said: renamed(*said, "tree/yesterday.py"),
    "hangs": hang,
}

if __name__ == "__main__":
    main()
