"""Runs the image that ships, confined, and asks it questions with known answers: the evidence of ``supply.smoke``.

The image is loaded from its layout, so what runs is what would be pushed. A first container indexes a small source
tree into a volume; a second serves it and is asked from inside, for it has no network. (The volume is writable for
the second one too: tantivy takes a lock file in the index that it reads.)
"""

import io
import json
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import rfc8785

from lens_core.adapters.docker_engine import ConfinedContainer, DockerEngine
from lens_core.adapters.oci_layout import read_layout, write_archive
from lens_core.errors import IntegrityError, Unavailable
from lens_core.supply.image import SHELLS, Image, decompressed, file_facts
from lens_core.supply.smoke import CORPUS, FORMAT, PORT, QUESTIONS
from lens_core.supply.words import Progress

_POLL_S = 0.1
_INDEX = "/data/work/index"
_PROBE = r"""
import json, os, stat, sys
from http.client import HTTPConnection
from urllib.parse import quote

port, questions, names = int(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
connection = HTTPConnection("127.0.0.1", port, timeout=20)

def ask(path):
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())

def writable(folder):
    try:
        place = os.path.join(folder, ".lens-smoke")
        with open(place, "w") as file:
            file.write("x")
        os.remove(place)
    except OSError:
        return False
    return True

shells, privileged, files = [], [], 0
for folder, folders, found in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys", "/dev", "/data")]
    for name in found:
        path = os.path.join(folder, name)
        mode = os.lstat(path).st_mode
        files += stat.S_ISREG(mode)
        if stat.S_ISREG(mode) and mode & 0o6000:
            privileged.append(path)
        if name in names and os.access(path, os.X_OK):
            shells.append(path)
with open("/proc/self/status") as file:
    said = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
health = ask("/health")
print(json.dumps({
    "answers": [{"q": q, "hits": [hit["path"] for hit in ask("/search?limit=3&q=" + quote(q))["hits"]]}
                for q in questions],
    "health": {"status": health["status"], "index_ready": health["index_ready"]},
    "inside": {
        "uid": os.getuid(), "gid": os.getgid(), "files": files, "shells": sorted(shells),
        "privileged": sorted(privileged), "capabilities": said["CapEff"].strip(),
        "no_new_privileges": said["NoNewPrivs"].strip() == "1",
        "writable": [path for path in ("/", "/data", "/etc", "/home/nonroot", "/opt/app", "/tmp") if writable(path)],
    },
}))
"""


def smoke_run(engine: DockerEngine, layout: Path, progress: Progress, *, timeout_s: float = 90.0) -> bytes:
    """The evidence of one run of the image in ``layout``, canonical JSON.

    A container that ends, or is not healthy within ``timeout_s``, is evidence too (it fails its gate). Unavailable
    when the engine fails, IntegrityError when the layout is not whole. Nothing is left in the engine.
    """
    image = read_layout(layout)
    facts = file_facts(decompressed(layer.blob) for layer in image.layers)
    known = engine.find(str(image.image_id))
    try:
        loaded = _loaded(engine, image, progress)
        body = _run(engine, loaded, progress, timeout_s)
    finally:
        if known is None:  # else somebody had it before, and may want it
            engine.remove(str(image.image_id))
    names = {"manifest": str(image.digest), "config": str(image.image_id), "loaded": loaded}
    layers: dict[str, Any] = {"files": facts.files, "shells": list(facts.shells), "privileged": list(facts.privileged)}
    return rfc8785.dumps({"format": FORMAT, "image": names, "layers": layers, **body}) + b"\n"


def _loaded(engine: DockerEngine, image: Image, progress: Progress) -> str:
    with tempfile.TemporaryDirectory(prefix="lens-smoke-") as scratch:
        progress("loading the normalised image")
        write_archive(image, Path(scratch) / "image.tar")
        return engine.load(Path(scratch) / "image.tar")


def _run(engine: DockerEngine, image: str, progress: Progress, timeout_s: float) -> dict[str, Any]:
    with engine.volume() as volume:
        progress("the container indexes")
        command = ["index", "/data/corpus", "--out", _INDEX, "--json"]
        with engine.container(image, command, volume=volume) as container:
            container.put("/data", _corpus_tar())
            container.start()
            ended = container.wait(timeout_s)
        indexed: dict[str, Any] = {"exit_code": ended.exit_code, "file_count": 0}
        if ended.exit_code != 0:
            said = ended.errors.decode(errors="replace").strip()[-400:]
            return {"indexed": indexed | {"said": said}, "answers": []}
        indexed["file_count"] = _parsed(ended.output)["file_count"]
        progress("the container serves")
        command = ["serve", "--index", _INDEX, "--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104  (no network)
        with engine.container(image, command, volume=volume, health_every_s=0.5) as container:
            container.start()
            health = _settled(container, timeout_s)
            body = {"indexed": indexed, "answers": [], "health": {}, "engine": _described(container, health)}
            if health != "healthy":
                return body | {"said": container.logs()[-400:]}
            progress("asking the container")
            done = container.run(
                ["python3", "-c", _PROBE, str(PORT), json.dumps(list(QUESTIONS)), json.dumps(sorted(SHELLS))]
            )
            if done.exit_code != 0:
                return body | {"said": done.errors.decode(errors="replace").strip()[-400:]}
            return body | _parsed(done.output)


def _settled(container: ConfinedContainer, timeout_s: float) -> str:
    """The health once it is known, ``starting`` when it stays unknown for ``timeout_s``."""
    until = time.monotonic() + timeout_s
    while (health := container.health()) == "starting" and time.monotonic() < until:
        time.sleep(_POLL_S)
    return health


def _described(container: ConfinedContainer, health: str) -> dict[str, Any]:
    attributes = container.described()
    host = attributes["HostConfig"]
    return {
        "health": health,
        "user": attributes["Config"]["User"],
        "read_only": bool(host["ReadonlyRootfs"]),
        "network": host["NetworkMode"],
    }


def _corpus_tar() -> bytes:
    """The source tree for anyone to read, and a folder that the image's user may write."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for path, text in CORPUS.items():
            info = tarfile.TarInfo(f"corpus/{path}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
        work = tarfile.TarInfo("work")
        work.type, work.mode, work.uid, work.gid = tarfile.DIRTYPE, 0o777, 65532, 65532
        tar.addfile(work)
    return whole.getvalue()


def _parsed(output: bytes) -> dict[str, Any]:
    try:
        body = json.loads(output)
    except ValueError as error:
        raise Unavailable(f"the container printed no JSON: {output[-200:]!r}", "run the image by hand") from error
    if not isinstance(body, dict):
        raise IntegrityError(f"the container printed {output[-200:]!r}, expected an object", "run the image by hand")
    return body
