"""Open-loop load from a process of its own, so that drawing and judging never delay a request."""

import base64
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lens_core.errors import Unavailable
from lens_core.ports import LoadPlan, LoadRun, LoadSample, Usage

_GRACE_S = 120.0


class OpenLoopLoad:
    """Keeps the ``LoadGenerator`` port."""

    def run(self, plan: LoadPlan) -> LoadRun:
        """Carry the plan out; Unavailable when the generator dies or overstays."""
        with tempfile.TemporaryDirectory(prefix="lens-load-") as folder:
            output = Path(folder) / "run.json"
            line = json.dumps(_as_json(plan) | {"output": str(output)}) + "\n"
            asked = sum(pane.count for pane in plan.panes) + plan.warmup * len(plan.services)
            expected_s = asked / plan.rate_per_s + plan.timeout_s
            command = [sys.executable, "-m", "lens_core.adapters.load_worker"]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            ) as worker:
                if worker.stdin is None or worker.stderr is None:  # pragma: no cover  (PIPE was asked for)
                    raise AssertionError
                try:
                    worker.stdin.write(line.encode())
                    worker.stdin.flush()
                    code = worker.wait(timeout=expected_s + _GRACE_S)
                except (subprocess.TimeoutExpired, BrokenPipeError) as error:
                    worker.kill()
                    raise Unavailable(f"the load generator did not end: {error}", "run the night again") from error
                except BaseException:
                    worker.kill()
                    raise
                if code != 0:
                    seen = worker.stderr.read().decode(errors="replace").strip()[-2000:]
                    raise Unavailable(f"the load generator failed ({code}): {seen}", "run the night again")
            return _read(output)


def _as_json(plan: LoadPlan) -> dict[str, Any]:
    return {
        "services": [{"url": service.url, "pid": service.pid} for service in plan.services],
        "panes": [[pane.target, pane.first_question, pane.count] for pane in plan.panes],
        "questions": plan.questions,
        "rate_per_s": plan.rate_per_s,
        "control_url": plan.control_url,
        "control_rate_per_s": plan.control_rate_per_s,
        "warmup": plan.warmup,
        "timeout_s": plan.timeout_s,
    }


def _read(output: Path) -> LoadRun:
    raw = json.loads(output.read_bytes())
    return LoadRun(
        samples=tuple(LoadSample(*sample) for sample in raw["samples"]),
        control=tuple(LoadSample(*sample) for sample in raw["control"]),
        bodies={digest: base64.b64decode(body) for digest, body in raw["bodies"].items()},
        usage=tuple(Usage(used["cpu_seconds"], tuple(used["rss_bytes"])) for used in raw["usage"]),
    )
