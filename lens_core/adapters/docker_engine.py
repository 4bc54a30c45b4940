"""A container engine through its API: builds, saves, loads and runs. Nothing else in Lens speaks to one.

What it makes on the way (containers, volumes, images between) it removes again, after a failure and after Ctrl-C
too. Everything runs without a network.
"""

import contextlib
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import Healthcheck, Mount

from lens_core.errors import IntegrityError, Unavailable
from lens_core.model import Digest
from lens_core.supply.words import Progress

MEMORY_BYTES = 1_500_000_000
"""What a container may use; the engine's writer asks for two gigabytes of address space, and touches little of it."""
PROCESSES = 128
_CONFINED: dict[str, Any] = {
    "network_mode": "none",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "mem_limit": MEMORY_BYTES,
    "memswap_limit": MEMORY_BYTES,
    "pids_limit": PROCESSES,
    "tmpfs": {"/tmp": "rw,nosuid,nodev,noexec,size=64m"},  # noqa: S108  (in the container, and a mount of its own)
}

_START = "start it (make services), name it in DOCKER_HOST, or cut with --no-container"
_MADE = re.compile(r"^ ---> ([0-9a-f]{12})$")
_LAST_LINES = 20
_PATIENCE_S = 15.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image in an engine: its id, the diff ids of its layers from below, and how it was named when pulled."""

    image_id: str
    layers: tuple[str, ...]
    repo_digest: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended: exit code, and what it wrote."""

    exit_code: int
    output: bytes
    errors: bytes = b""


class DockerEngine:
    """The engine at ``host`` (``unix://…`` or ``tcp://…``; the environment's when None).

    Every method raises Unavailable when the engine does not answer within ``timeout_s``, or refuses.
    """

    def __init__(self, host: str | None = None, timeout_s: float = 300.0) -> None:
        self._host = host
        self._timeout_s = timeout_s
        self._known: docker.DockerClient | None = None

    def version(self) -> str:
        """The engine's version; ask before half the work is done."""
        with _speaking():
            return str(self._client.version()["Version"])

    def import_base(self, tar: Path, digest: Digest) -> EngineImage:
        """The file system ``tar`` as an image of one layer; the one that is there already if it is the same."""
        tag = f"lens-base:{digest.hex[:32]}"
        found = self.find(tag)
        if found is None or found.layers != (str(digest),):
            with _speaking():
                self._client.api.import_image_from_file(str(tar), repository="lens-base", tag=digest.hex[:32])
            found = self.find(tag)
        if found is None or found.layers != (str(digest),):
            self.remove(tag)
            raise IntegrityError(
                f"expected a base of the layer {digest}, the engine made {found.layers if found else 'none'} of it",
                "cut again; if it stays, remove the folder bases/ from the cache",
            )
        return found

    def pull(self, reference: str) -> EngineImage:
        """A base that the user named, as the registry has it now (or this engine, when it has no registry to ask)."""
        try:
            with _speaking():
                self._client.images.pull(reference)
        except Unavailable as error:
            found = self.find(reference)
            if found is None:
                raise Unavailable(
                    f"the base image {reference} cannot be pulled: {error.message}", error.hint
                ) from error
        found = self.find(reference)
        if found is None:
            raise Unavailable(f"the base image {reference} is not there after it was pulled", "name it with its tag")
        return found

    def find(self, reference: str) -> EngineImage | None:
        """The image of that name or id, None when there is none."""
        with _speaking():
            try:
                image = self._client.images.get(reference)
            except ImageNotFound:
                return None
            repository = docker.utils.parse_repository_tag(reference)[0]
            named = [str(name) for name in image.attrs.get("RepoDigests") or [] if name.startswith(f"{repository}@")]
            return EngineImage(str(image.id), tuple(image.attrs["RootFS"]["Layers"]), named[0] if named else "")

    def build(self, context: Path, base: EngineImage, arguments: Mapping[str, str], progress: Progress) -> EngineImage:
        """Build ``context/Dockerfile`` on ``base``, without a network and without earlier builds' leftovers.

        A build that fails is Unavailable with its last lines. The images between are removed in any case, the
        image itself when the build does not end well.
        """
        made: list[str] = []
        try:
            built = self._build(context, {**arguments, "BASE_IMAGE": base.image_id}, made, progress)
        except BaseException:
            self._abandon([name for name in made if not base.image_id.startswith(name)])
            raise
        between = [name for name in made if not (base.image_id.startswith(name) or built.image_id.startswith(name))]
        for name in reversed(between):  # an image goes before the one that it stands on
            self.remove(name)
        return built

    def _build(self, context: Path, arguments: Mapping[str, str], made: list[str], progress: Progress) -> EngineImage:
        """Build; ``made`` gets the id of each image as soon as there is one."""
        lines: list[str] = []
        image_id = ""
        with _speaking(), contextlib.closing(self._start_build(context, arguments)) as response:
            for content in filter(None, response.iter_lines()):
                event = json.loads(content)
                image_id = (event.get("aux") or {}).get("ID", image_id)
                for line in str(event.get("error") or event.get("stream", "")).rstrip().splitlines():
                    lines.append(line.rstrip())
                    made += [f"sha256:{name}" for name in _MADE.findall(line)]
                    if line.startswith("Step "):
                        progress(line[:100])
                if "error" in event:
                    seen = "\n".join(line for line in lines[-_LAST_LINES:] if line)
                    raise Unavailable(f"the image cannot be built; the build's last lines:\n{seen}", "mend the build")
        built = self.find(image_id) if image_id else None
        if built is None:
            raise Unavailable("the engine built an image and did not say which", "update the engine")
        return built

    def _start_build(self, context: Path, arguments: Mapping[str, str]) -> requests.Response:
        """Send the context. The SDK's own call keeps the connection to itself, so a build could not be broken off."""
        api = self._client.api
        options = {"nocache": True, "rm": True, "forcerm": True, "networkmode": "none"}
        with docker.utils.tar(str(context)) as content:
            response: requests.Response = api.post(
                f"{api.base_url}/v{api.api_version}/build",
                params={**options, "buildargs": json.dumps(dict(arguments))},
                headers={"Content-Type": "application/x-tar"},
                data=content,
                stream=True,
                timeout=self._timeout_s,
            )
        if not response.ok:
            raise Unavailable(f"the container engine refused the build: {response.text.strip()[-400:]}", "see its log")
        return response

    def save(self, image_id: str, place: Path) -> None:
        """Write the image to the file ``place``, in the engine's archive format."""
        with _speaking(), place.open("wb") as file:
            for chunk in self._client.api.get_image(image_id):
                file.write(chunk)

    def load(self, archive: Path) -> str:
        """Load an archive of one image; its id, which is the digest of its configuration."""
        with _speaking(), archive.open("rb") as file:
            (image,) = self._client.images.load(file)
            return str(image.id)

    def remove(self, reference: str) -> bool:
        """Remove an image, and those that it stands on and nobody else needs; False when it is needed itself."""
        with _speaking(), contextlib.suppress(NotFound):
            try:
                self._client.images.remove(reference)
            except APIError as error:
                if error.status_code != requests.codes.conflict:
                    raise
                return False
        return True

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        if self._known is not None:
            self._known.close()
            self._known = None

    @contextmanager
    def volume(self) -> Iterator[str]:
        """A fresh volume, by name; removed at the end."""
        with _speaking():
            volume = self._client.volumes.create(f"lens-{uuid.uuid4().hex}")
        try:
            yield str(volume.name)
        finally:
            with _speaking(), contextlib.suppress(NotFound):
                volume.remove(force=True)

    @contextmanager
    def container(
        self,
        image_id: str,
        command: Sequence[str],
        *,
        volume: str,
        health_every_s: float = 0.0,
        entrypoint: Sequence[str] | None = None,
    ) -> Iterator["ConfinedContainer"]:
        """A container of the image with every confinement, not started yet; removed at the end.

        No network, read-only root, no capabilities, no new privileges, little memory, few processes; ``/tmp`` in
        memory and ``volume`` at ``/data`` (read-only if so asked).
        """
        health = Healthcheck(interval=int(health_every_s * 1e9)) if health_every_s else None
        with _speaking():
            created = self._client.containers.create(
                image_id,
                list(command),
                entrypoint=list(entrypoint) if entrypoint else None,
                healthcheck=health,
                mounts=[Mount("/data", volume, type="volume")],
                **_CONFINED,
            )
        try:
            yield ConfinedContainer(created, self._client)
        finally:
            with _speaking(), contextlib.suppress(NotFound):
                created.remove(force=True, v=True)

    @property
    def _client(self) -> "docker.DockerClient":
        if self._known is None:
            timeout = int(self._timeout_s)
            self._known = (
                docker.DockerClient(base_url=self._host, timeout=timeout)
                if self._host
                else docker.from_env(timeout=timeout)
            )
        return self._known

    def _abandon(self, images: Sequence[str]) -> None:
        """Remove the images of a build that was broken off, and the containers that it runs on them.

        The engine hears of the end a moment later, and may start one more step until then: it takes two looks
        that find nothing.
        """
        until = time.monotonic() + _PATIENCE_S
        quiet = 0
        left = list(reversed(images))
        while quiet < 2 and time.monotonic() < until:  # noqa: PLR2004  (see above)
            with contextlib.suppress(Unavailable):  # what is left over is no reason to say something else
                found = [item for item in self._containers() if str(item.attrs["Image"]).startswith(tuple(images))]
                for item in found:
                    with _speaking(), contextlib.suppress(APIError):  # the engine may be removing it as well
                        item.remove(force=True, v=True)
                left = [name for name in left if not self.remove(name)]
                quiet = 0 if found or left else quiet + 1
            time.sleep(_POLL_S)

    def _containers(self) -> list[Container]:
        with _speaking():
            return list(self._client.containers.list(all=True, ignore_removed=True)) if self._known else []


class ConfinedContainer:
    """One container; ``DockerEngine.container`` makes and removes it."""

    def __init__(self, container: Container, client: "docker.DockerClient") -> None:
        self._container = container
        self._client = client

    def put(self, folder: str, tar: bytes) -> None:
        """Unpack ``tar`` at ``folder``, which must lie in the volume."""
        with _speaking():
            self._container.put_archive(folder, tar)

    def start(self) -> None:
        """Start it."""
        with _speaking():
            self._container.start()

    def wait(self, timeout_s: float) -> Ended:
        """Wait until it ends."""
        with _speaking():
            code = int(self._container.wait(timeout=timeout_s)["StatusCode"])
            return Ended(code, self._container.logs(stderr=False), self._container.logs(stdout=False))

    def run(self, command: Sequence[str]) -> Ended:
        """Run a command inside it, as its user."""
        with _speaking():
            done = self._container.exec_run(list(command), demux=True)
            output, errors = done.output
            return Ended(int(done.exit_code), output or b"", errors or b"")

    def health(self) -> str:
        """``starting``, ``healthy``, ``unhealthy``; ``ended`` when it does not run, ``none`` without a health check."""
        state = self.described()["State"]
        return str(state.get("Health", {}).get("Status", "none")) if state["Running"] else "ended"

    def logs(self) -> str:
        """The end of what it wrote."""
        with _speaking():
            return bytes(self._container.logs(tail=_LAST_LINES)).decode(errors="replace")

    def described(self) -> dict[str, Any]:
        """What the engine says of it."""
        with _speaking():
            self._container.reload()
            return dict(self._container.attrs)


@contextmanager
def _speaking() -> Iterator[None]:
    """Translate what the SDK and its HTTP client raise."""
    try:
        yield
    except APIError as error:
        raise Unavailable(f"the container engine refused: {_said(error)}", "see the engine's log") from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise Unavailable(f"no container engine answers: {_said(error)}", _START) from error


def _said(error: Exception) -> str:
    text = str(getattr(error, "explanation", "") or error)
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        text = json.loads(text).get("message", text)
    return text.strip()[-400:]
