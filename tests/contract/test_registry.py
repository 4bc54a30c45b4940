"""What a registry owes, fake or real: what was pushed is there by digest, what was attached is found and kept."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from fake_registry import fake_registry
from oci_samples import attachments_of, write_layout
from supply_places import registry_url

from lens_core.adapters.layout_reader import read_layout
from lens_core.adapters.registry import Registry
from lens_core.errors import Conflict, InvalidInput
from lens_core.model import Digest
from lens_core.supply.oci import DSSE, Attachment

REAL = "http://127.0.0.1:5000"
ABSENT = Digest("sha256:" + "0" * 64)


@pytest.fixture(params=["fake", "fake with referrers", "real"])
def url(request):
    """Three registries: without and with the referrers API, and Debian's docker-registry."""
    if request.param == "real":
        yield registry_url()
    else:
        with fake_registry(referrers="referrers" in request.param) as made:
            yield made.url


@pytest.fixture
def open_registry(url):
    """Opens one repository of this test's own, as often as is asked for."""
    repository = f"lens-tests/{secrets.token_hex(6)}"
    return lambda: Registry(url, repository, timeout_s=20, progress=lambda _: None)


@pytest.fixture
def registry(open_registry):
    """One client."""
    with open_registry() as made:
        yield made


@pytest.fixture
def layout(tmp_path):
    """One image."""
    return write_layout(tmp_path / "image")


def test_what_is_pushed_is_there_under_its_own_digest(registry, layout):
    """The digest is the manifest's, the tag names it, and nothing is at fault."""
    digest = registry.push(layout, "1.0.0-rc.1")
    assert digest == read_layout(layout).descriptor.digest == registry.resolve("1.0.0-rc.1")
    assert registry.tags() == ("1.0.0-rc.1",)
    assert registry.verify(layout, "1.0.0-rc.1", ()) == ()


def test_pushing_again_changes_nothing(registry, layout):
    """The same bytes may be pushed under the same tag as often as one likes."""
    assert registry.push(layout, "rc") == registry.push(layout, "rc")
    assert registry.verify(layout, "rc", ()) == ()


def test_a_tag_is_never_moved(registry, layout, tmp_path):
    """Other bytes under a tag that is taken are refused, and it still names the first."""
    first = registry.push(layout, "rc")
    with pytest.raises(Conflict, match="already") as refused:
        registry.push(write_layout(tmp_path / "other", "other"), "rc")
    assert refused.value.blockers == ("tag rc",)
    assert registry.resolve("rc") == first


def test_what_is_attached_is_found(registry, layout):
    """All of it comes back, byte for byte, and attaching again adds nothing."""
    subject = registry.push(layout, "rc")
    attachments = attachments_of()
    assert registry.attach(subject, attachments) == registry.attach(subject, attachments)
    assert set(registry.attachments(subject)) == set(attachments)
    assert registry.verify(layout, "rc", attachments) == ()


def test_candidates_keep_their_attachments_apart(registry, layout, tmp_path):
    """Two images in one repository each have their own, also where the content is the same."""
    other = write_layout(tmp_path / "other", "other")
    first, second = registry.push(layout, "rc.1"), registry.push(other, "rc.2")
    shared = Attachment("same.json", "application/json", b"{}")
    registry.attach(first, [*attachments_of("a"), shared])
    registry.attach(second, [*attachments_of("other"), shared])
    assert registry.verify(layout, "rc.1", [*attachments_of("a"), shared]) == ()
    assert registry.verify(other, "rc.2", [*attachments_of("other"), shared]) == ()


def test_every_difference_in_attachments_is_a_fault(registry, layout):
    """A missing, a changed and an extra one are each named."""
    subject = registry.push(layout, "rc")
    sbom, provenance, scan = attachments_of()
    assert any("sbom/lens.cdx.json" in fault.artifact for fault in registry.verify(layout, "rc", [sbom]))
    registry.attach(subject, [sbom, provenance, scan])
    extra = {fault.artifact for fault in registry.verify(layout, "rc", [sbom, provenance])}
    assert any(".ref-" in artifact or artifact.startswith("referrer") for artifact in extra)
    changed = Attachment(scan.name, scan.media_type, scan.content + b" ")
    assert any(scan.name in fault.artifact for fault in registry.verify(layout, "rc", [sbom, provenance, changed]))


def test_a_tag_of_another_image_is_a_fault(registry, layout, tmp_path):
    """The tag is named with both digests."""
    digest = registry.push(layout, "rc.1")
    other = registry.push(write_layout(tmp_path / "other", "other"), "rc.2")
    [fault] = registry.verify(layout, "rc.2", ())
    assert fault.artifact == "tag rc.2"
    assert str(digest) in fault.expected
    assert str(other) in fault.seen
    assert str(other) in str(fault)


def test_what_is_not_there_is_said_so(registry, layout):
    """An unknown tag, an attachment to nothing, and verifying what was never pushed."""
    assert registry.tags() == ()
    with pytest.raises(InvalidInput, match="no tag"):
        registry.resolve("rc")
    with pytest.raises(InvalidInput, match="has no image"):
        registry.attach(ABSENT, attachments_of())
    faults = registry.verify(layout, "rc", ())
    assert {fault.seen for fault in faults} == {"nothing (HTTP 404)"}
    assert {fault.artifact.split()[0] for fault in faults} == {"manifest", "blob", "tag"}


def test_attestors_at_once_lose_nothing(open_registry, registry, layout, url):
    """Fifty of ten clients (a dozen at the fakes): all are found, and the index and cosign's tag list every one."""
    many = 50 if url == REAL else 12
    subject = registry.push(layout, "rc")
    attachments = [Attachment(f"by/{number}.json", DSSE, b"%d" % number) for number in range(many)]
    with ExitStack() as stack, ThreadPoolExecutor(many) as attestors:
        clients = [stack.enter_context(open_registry()) for _ in range(10)]
        done = [attestors.submit(clients[n % 10].attach, subject, [each]) for n, each in enumerate(attachments)]
        assert len({each.result() for each in done}) == many
    assert set(registry.attachments(subject)) == set(attachments)
    assert registry.verify(layout, "rc", attachments) == ()
