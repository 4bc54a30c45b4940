"""The engine's image, really built and really run: one digest for one commit, confined, and nothing left behind."""

import contextlib
import hashlib
import io
import json
import tarfile
import threading
import time
import uuid

import docker
import httpx
import pytest

from lens_core.adapters.clock import SystemClock
from lens_core.adapters.debian_base import DebianBase
from lens_core.adapters.debian_index import DebianIndex
from lens_core.adapters.docker_engine import DockerEngine
from lens_core.adapters.image_builder import ImageBuilder, ImageInputs
from lens_core.adapters.image_smoke import smoke_run
from lens_core.adapters.oci_layout import normalise, read_layout, write_archive
from lens_core.adapters.wheel_builder import WheelBuilder
from lens_core.errors import IntegrityError, InvalidInput, Unavailable
from lens_core.model import Verdict
from lens_core.supply.image import Origin, decompressed, file_facts
from lens_core.supply.smoke import answers
from tests.places import PROJECT, image_cache
from tests.supply_places import debian_or_skip, docker_host, registry_url

EPOCH = 1_780_000_000
COMMIT = "c" * 40


def quiet(_line):
    """Progress that nobody reads."""


def inventory(client):
    """What an engine holds: containers, volumes and images, those between included."""
    held = [
        *client.containers.list(all=True, ignore_removed=True),
        *client.volumes.list(),
        *client.images.list(all=True),
    ]
    return {item.id for item in held}


def left_over(client, before):
    """What an engine holds that it did not hold before. Others may use it too: what they have for a moment goes."""
    until = time.monotonic() + 20
    while (new := inventory(client) - before) and time.monotonic() < until:
        time.sleep(0.2)
    return new


@pytest.fixture(scope="module")
def engine():
    """The real engine."""
    with contextlib.closing(DockerEngine(docker_host())) as found:
        found.version()
        yield found


@pytest.fixture(scope="module")
def client():
    """A second opinion on what the engine holds."""
    with contextlib.closing(docker.DockerClient(base_url=docker_host())) as found:
        yield found


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """The wheel of the commit that is checked out, and the project's own recipe and locks."""
    artifacts = tmp_path_factory.mktemp("artifacts")
    candidate = WheelBuilder(PROJECT, artifacts).build()
    (wheel,) = (artifacts / candidate.digest.hex).glob("*.whl")
    return ImageInputs(wheel, PROJECT, "1.0.0-rc.1", COMMIT, EPOCH)


@pytest.fixture(scope="module")
def built(engine, inputs, tmp_path_factory):
    """One image, built in the cache that all runs share."""
    debian_or_skip()
    cache = image_cache()
    builder = ImageBuilder(cache, engine, DebianBase(cache, DebianIndex(cache, SystemClock().now)))
    return builder.build(inputs, tmp_path_factory.mktemp("one") / "image", quiet)


@pytest.fixture(scope="module")
def smoked(engine, built, client):
    """What the container of that image said, and what was left of the run in the engine."""
    before = inventory(client)
    evidence = smoke_run(engine, built.layout, quiet)
    return evidence, left_over(client, before)


@pytest.fixture(scope="module")
def image(built):
    """The image as it is read back from its layout."""
    return read_layout(built.layout)


def test_the_layout_is_what_it_is_said_to_be(built, image):
    """Manifest and configuration have the digests that the provenance will name."""
    assert (image.digest, image.image_id) == (built.manifest_digest, built.image_id)
    assert image.layers[0].diff_id == built.base.digest
    assert len(image.layers) == 2


def test_the_context_holds_the_recipe_and_the_wheels_and_nothing_else(built, inputs):
    """No key and no source can get into the build: it sees a closed list of files, each with its digest."""
    context = dict(built.context)
    wheels = {f"wheelhouse/{wheel.filename}" for wheel in built.wheels}
    assert context.keys() == {"Dockerfile", "image.lock", "pip.whl"} | wheels
    assert context[f"wheelhouse/{inputs.wheel.name}"] == hashlib.sha256(inputs.wheel.read_bytes()).hexdigest()


def test_every_file_above_the_base_is_of_a_wheel(built, image):
    """/opt/app holds what RECORD files list, and pip itself is not among it."""
    (app,) = [decompressed(layer.blob) for layer in image.layers[1:]]
    with tarfile.open(fileobj=io.BytesIO(app)) as tar:
        files = {member.name for member in tar if not member.isdir()}
        records = [name for name in files if name.endswith(".dist-info/RECORD")]
        listed = {
            f"opt/app/{line.rsplit(',', 2)[0].strip(chr(34)).removeprefix('../../')}"
            for name in records
            for line in tar.extractfile(name).read().decode().splitlines()
        }
        assert {member.mtime for member in tar} == {EPOCH}
        assert {(member.uid, member.gid, member.uname) for member in tar} == {(0, 0, "")}
    assert files <= listed
    assert len(records) == len(built.wheels)
    assert not [name for name in files if name.startswith("opt/app/pip/")]


def test_the_image_has_no_shell_and_no_file_with_others_rights(image):
    """Facts of the layers themselves, before anything runs."""
    facts = file_facts(decompressed(layer.blob) for layer in image.layers)
    assert facts.files > 1000
    assert (facts.shells, facts.privileged) == ((), ())


def test_a_container_of_the_image_passes_its_gates(built, smoked):
    """It indexes, serves, answers, is healthy, and can do nothing else."""
    for answer in answers(smoked[0], built.manifest_digest):
        assert answer.verdict is Verdict.PASS, answer


def test_a_smoke_run_leaves_nothing_in_the_engine(smoked):
    """Containers, the volume and the loaded image are gone."""
    assert not smoked[1]


def test_every_extension_of_the_bases_python_loads(engine, built):
    """No library was left out of the base that one of them needs."""
    script = (
        "import glob, importlib, os\n"
        "names = [os.path.basename(path).split('.')[0] for path in glob.glob('/usr/lib/python3*/lib-dynload/*.so')]\n"
        "print(len([importlib.import_module(name) for name in names]))\n"
    )
    base = built.base.image.image_id
    run = ["python3", "-c", script]
    with engine.volume() as volume, engine.container(base, [], volume=volume, entrypoint=run) as container:
        container.start()
        ended = container.wait(60)
    assert ended.exit_code == 0, ended.errors.decode()
    assert int(ended.output) > 30


def test_a_build_that_fails_says_its_last_lines_and_leaves_nothing(engine, built, client, tmp_path):
    """The image's recipe is at fault; the engine is as before."""
    (tmp_path / "Dockerfile").write_text(
        'ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nUSER 7\nRUN ["python3", "-c", "raise SystemExit(\'no such luck\')"]\n'
    )
    before = inventory(client)
    with pytest.raises(Unavailable, match="no such luck"):
        engine.build(tmp_path, built.base.image, {}, quiet)
    assert not left_over(client, before)


def test_a_build_has_no_network(engine, built, client, tmp_path):
    """Its only interface is the loopback: what it needs is in the context, or it fails."""
    code = "import socket; print('net', sorted(name for _, name in socket.if_nameindex()))"
    (tmp_path / "Dockerfile").write_text(
        f'ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nRUN ["python3", "-c", "{code}; raise SystemExit(1)"]\n'
    )
    with pytest.raises(Unavailable, match=r"net \['lo'\]"):
        engine.build(tmp_path, built.base.image, {}, quiet)


def test_an_interrupted_build_leaves_nothing(engine, built, client, tmp_path):
    """Ctrl-C in a step that would run for minutes: its container and the images before it are gone."""
    (tmp_path / "Dockerfile").write_text(
        'ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nUSER 7\nRUN ["python3", "-c", "import time; time.sleep(600)"]\n'
    )
    before = inventory(client)
    at_work = threading.Event()

    def interrupt(line):
        if "sleep" in line:
            at_work.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.build(tmp_path, built.base.image, {}, interrupt)
    assert at_work.is_set()
    assert not left_over(client, before)


def test_another_base_than_the_one_named_is_refused(engine, built, client, tmp_path):
    """What the engine made of the tar must have the tar's digest, and what has not does not stay."""
    before = inventory(client)
    with pytest.raises(IntegrityError, match="expected a base"):
        engine.import_base(_tiny_tar(tmp_path), built.manifest_digest)
    assert not left_over(client, before)


def test_a_build_on_other_layers_than_the_bases_is_not_shipped(built, image, tmp_path):
    """The engine's archive must begin with the base, bit for bit."""
    archive = tmp_path / "saved.tar"
    write_archive(image, archive)
    origin = Origin("1.0.0-rc.1", COMMIT, str(built.base.digest), EPOCH)
    with pytest.raises(IntegrityError, match="other layers"):
        normalise(archive, ("sha256:" + "0" * 64,), origin, tmp_path)


def test_a_base_from_a_registry_is_known_by_its_digest(engine, client, tmp_path):
    """``--base-image``: the engine pulls it, and the digest is the registry's, not the tag."""
    address = registry_url()
    name = f"{address.removeprefix('http://')}/lens-test-{uuid.uuid4().hex}"
    tar = _tiny_tar(tmp_path)
    client.api.import_image_from_file(str(tar), repository=name, tag="1")
    try:
        client.images.push(name, tag="1")
        client.images.remove(f"{name}:1")
        pulled = engine.pull(f"{name}:1")
        manifests = f"{address}/v2/{name.partition('/')[2]}/manifests"
        accepted = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
        manifest = httpx.get(f"{manifests}/1", headers=accepted, trust_env=False).content
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        httpx.delete(f"{manifests}/{digest}", trust_env=False).raise_for_status()
        assert pulled.repo_digest == f"{name}@{digest}"
        assert pulled.layers == (f"sha256:{hashlib.sha256(tar.read_bytes()).hexdigest()}",)
    finally:
        engine.remove(f"{name}:1")


def _tiny_tar(folder):
    tar = folder / "base.tar"
    with tarfile.open(tar, "w") as opened:
        opened.addfile(tarfile.TarInfo("nothing"))
    return tar


def test_a_base_that_no_registry_has_is_taken_from_the_engine_or_is_unavailable(engine, built):
    """A reference that the engine knows is enough; one that nobody knows is named."""
    name = f"lens-base:{built.base.digest.hex[:32]}"
    assert engine.pull(name).layers == (str(built.base.digest),)
    with pytest.raises(Unavailable, match="lens-nowhere"):
        engine.pull("127.0.0.1:5000/lens-nowhere:1")


def test_an_engine_that_is_not_there_is_said_before_any_work(tmp_path, inputs):
    """No package is fetched for it, and the hint says what to do."""
    with contextlib.closing(DockerEngine(f"unix://{tmp_path}/none.sock")) as absent:
        builder = ImageBuilder(
            tmp_path / "cache", absent, DebianBase(tmp_path / "cache", DebianIndex(tmp_path, SystemClock().now))
        )
        with pytest.raises(Unavailable, match="no container engine answers") as caught:
            builder.build(inputs, tmp_path / "image", quiet)
    assert "--no-container" in caught.value.hint
    assert not (tmp_path / "cache").exists()


def test_a_commit_without_its_recipe_is_named(engine, inputs, tmp_path):
    """An older commit has no lock of the engine: the cut says which file is missing."""
    debian_or_skip()
    cache = image_cache()
    builder = ImageBuilder(cache, engine, DebianBase(cache, DebianIndex(cache, SystemClock().now)))
    (tmp_path / "Dockerfile").touch()
    bare = ImageInputs(inputs.wheel, tmp_path, "1", COMMIT, EPOCH)
    with pytest.raises(InvalidInput, match=r"requirements-engine\.lock"):
        builder.build(bare, tmp_path / "image", quiet)


@pytest.mark.parametrize("name", ["index.json", "oci-layout", "manifest", "config", "layer"])
def test_a_layout_with_one_byte_changed_is_refused(built, image, tmp_path, name):
    """Whichever file it is; blobs are hashed when they are read."""
    blobs = {"manifest": image.digest, "config": image.image_id, "layer": image.layers[1].digest}
    changed = tmp_path / "image"
    (changed / "blobs" / "sha256").mkdir(parents=True)
    for path in built.layout.rglob("*"):
        if path.is_file():
            (changed / path.relative_to(built.layout)).hardlink_to(path)
    place = changed / "blobs" / "sha256" / blobs[name].hex if name in blobs else changed / name
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.unlink()
    place.write_bytes(bytes(content))
    with pytest.raises(IntegrityError):
        read_layout(changed)


def test_the_configuration_says_how_the_image_is_run(image):
    """Non-root by number, a health check in exec form, and the labels of its version and commit."""
    config = json.loads(image.config)["config"]
    assert config["User"] == "65532:65532"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Entrypoint"] == ["python3", "-m", "lens_core.engine"]
    assert config["Labels"]["org.opencontainers.image.version"] == "1.0.0-rc.1"
    assert config["Labels"]["org.opencontainers.image.revision"] == COMMIT
    assert config["ExposedPorts"] == {"7700/tcp": {}}
