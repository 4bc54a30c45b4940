"""A registry that fails, lies or leads astray: it is said so, nothing passes, and pushing again goes on."""

import hashlib

import httpx
import pytest
from fake_registry import fake_registry, sha256
from oci_samples import attachments_of, write_layout

from lens_core.adapters.blob_upload import CHUNK_BYTES
from lens_core.adapters.layout_reader import read_layout
from lens_core.adapters.registry import Credentials, Registry
from lens_core.adapters.registry_http import LARGEST_REPLY, RegistryHttp
from lens_core.errors import IntegrityError, InvalidInput, Refused, Unavailable
from lens_core.supply.oci import Attachment, subject_tag

LARGE = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(400))
CHUNK = 1000


@pytest.fixture(params=[False, True], ids=["no referrers", "referrers"])
def fake_of_both(request):
    """A fake without and with the referrers API."""
    with fake_registry(referrers=request.param) as made:
        yield made


@pytest.fixture
def fake():
    """A fake without the referrers API."""
    with fake_registry() as made:
        yield made


def client(fake, **more):
    """A client that does not wait long, and cuts blobs into small chunks."""
    made = Registry(fake.url, "lens", timeout_s=10, pause_s=0.001, progress=more.pop("progress", print), **more)
    made._upload._chunk_bytes = CHUNK
    return made


@pytest.fixture
def layout(tmp_path):
    """An image whose first layer takes several chunks."""
    return write_layout(tmp_path / "image", files={"large": LARGE, "small": b"small"})


def large_blob(layout):
    """The descriptor of the large layer."""
    return read_layout(layout).blobs[1]


def test_pushing_again_goes_on_where_a_lost_registry_stopped_it(fake, layout):
    """It is Unavailable with a hint; the second push sends only what is missing, and all is well."""
    fake.trouble("POST", "uploads", "cut", times=9, spare=2)
    with client(fake) as registry:
        with pytest.raises(Unavailable, match="POST") as lost:
            registry.push(layout, "rc")
        assert "again" in lost.value.hint
        assert len(fake.blobs) == 2
        assert not fake.tags
        fake.troubles.clear()
        fake.asked.clear()
        registry.push(layout, "rc")
        assert len(fake.sent("PUT", "uploads")) == 1
        assert registry.verify(layout, "rc", ()) == ()


def test_a_cut_upload_goes_on_from_the_byte_that_arrived(fake, layout):
    """Half a chunk arrived: the registry is asked how far, and no byte is sent twice."""
    fake.trouble("PATCH", "uploads", "half", spare=2)
    with client(fake) as registry:
        registry.push(layout, "rc")
        assert registry.verify(layout, "rc", ()) == ()
    begins = [headers["Content-Range"].split("-")[0] for method, _, headers in fake.asked if method == "PATCH"]
    assert begins[:5] == ["0", "1000", "2000", "2500", "3500"]
    assert len(fake.sent("POST", "uploads")) == 3


def test_an_upload_that_the_registry_forgot_begins_again(fake, layout):
    """Where nothing can be gone on with, the blob is sent from its start, hashed anew."""
    fake.forgets_uploads = True
    fake.trouble("PATCH", "uploads", "half", spare=2)
    with client(fake) as registry:
        registry.push(layout, "rc")
        assert registry.verify(layout, "rc", ()) == ()
    assert len(fake.sent("POST", "uploads")) == 4


def test_an_upload_that_is_cut_each_time_ends(fake, layout):
    """Four tries, then it is Unavailable, not an endless loop."""
    fake.trouble("PATCH", "uploads", "cut", times=99)
    with client(fake) as registry, pytest.raises(Unavailable, match="PATCH"):
        registry.push(layout, "rc")
    assert len(fake.sent("PATCH")) == 4


def test_a_blob_whose_end_was_not_heard_is_not_sent_twice(fake, layout):
    """The registry answered the last request and nobody heard it: it is asked whether the blob is there."""
    fake.trouble("PUT", "uploads", 502, times=1)
    with client(fake) as registry:
        registry.push(layout, "rc")
        assert registry.verify(layout, "rc", ()) == ()


@pytest.mark.parametrize("code", [400, 429, 500, 502, 503])
def test_what_passes_is_waited_for_and_what_stays_is_unavailable(fake, layout, code):
    """Three failures of a kind are tried again; four are the caller's to know of. HTTP 400: a blob is unknown."""
    with client(fake) as registry:
        fake.trouble("PUT", "manifests", code, times=3)
        registry.push(layout, "rc")
        fake.trouble("GET", "manifests", code, times=4)
        with pytest.raises(Unavailable, match=str(code)):
            registry.resolve("rc")


def test_a_header_that_contradicts_the_bytes_is_no_digest(fake, layout):
    """The push fails, and verifying says which; a registry that sends no header is taken by its bytes."""
    with client(fake) as registry:
        fake.claim = "none"
        registry.push(layout, "rc")
        assert registry.verify(layout, "rc", ()) == ()
        fake.claim = sha256(b"another")
        assert {fault.artifact.split()[0] for fault in registry.verify(layout, "rc", ())} == {"manifest", "tag"}
        with pytest.raises(IntegrityError, match="the registry says"):
            registry.resolve("rc")


def test_a_tag_that_is_moved_while_it_is_pushed_is_seen(fake, layout, tmp_path):
    """What is read back under the tag is another image: the push fails."""
    with client(fake) as registry:
        other = str(registry.push(write_layout(tmp_path / "other"), "other"))

        class Moving(dict):
            def __setitem__(self, tag, digest):
                super().__setitem__(tag, other)

        fake.tags = Moving()
        with pytest.raises(IntegrityError, match="read other bytes back"):
            registry.push(layout, "rc")


def test_a_blob_that_changed_on_disk_is_not_pushed(fake, layout):
    """One bit, or one byte more: IntegrityError, nothing under that digest, no upload left open, no tag."""
    blob = large_blob(layout)
    file = layout / "blobs/sha256" / blob.digest.hex
    content = file.read_bytes()
    for changed in (content[:-1] + bytes([content[-1] ^ 1]), content + b"x"):
        file.write_bytes(changed)
        with client(fake) as registry, pytest.raises(IntegrityError, match=blob.digest.hex):
            registry.push(layout, "rc")
        assert str(blob.digest) not in fake.blobs
        assert not fake.uploads
        assert not fake.tags


def test_a_blob_of_another_length_under_our_digest_is_not_taken_for_ours(fake, layout):
    """Pushing does not skip it: the registry's storage is damaged, and the hint says what to do."""
    blob = large_blob(layout)
    fake.blobs[str(blob.digest)] = b"short"
    with client(fake) as registry, pytest.raises(IntegrityError, match="saw 5 bytes") as damaged:
        registry.push(layout, "rc")
    assert "delete that blob" in damaged.value.hint


@pytest.mark.parametrize("act", ["short", "cut", 500, 403])
def test_a_blob_that_a_sound_registry_does_not_give_is_no_pass(fake, layout, act):
    """It is a fault that names the blob while the registry answers otherwise; a denial is Refused."""
    blob = str(large_blob(layout).digest)
    with client(fake) as registry:
        registry.push(layout, "rc")
        fake.trouble("GET", blob, act, times=99)
        if act == 403:
            with pytest.raises(Refused, match=blob):
                registry.verify(layout, "rc", ())
        else:
            [fault] = registry.verify(layout, "rc", ())
            assert blob in fault.artifact


def test_a_registry_that_is_lost_gives_no_verdict(fake, layout):
    """Nothing answers any more: Unavailable, neither a fault nor a pass."""
    with client(fake) as registry:
        registry.push(layout, "rc")
        fake.trouble("GET", "(blobs|manifests|/v2/$)", "cut", times=999)
        with pytest.raises(Unavailable):
            registry.verify(layout, "rc", ())
    fake.troubles.clear()
    fake.shutdown()
    fake.server_close()
    with client(fake) as registry, pytest.raises(Unavailable, match="ConnectError") as lost:
        registry.verify(layout, "rc", ())
    assert lost.value.exit_code == 4


def test_a_longer_blob_is_not_read_to_its_end(fake, layout):
    """The part that goes beyond what was promised is enough."""
    blob = large_blob(layout)
    with client(fake) as registry:
        registry.push(layout, "rc")
        fake.blobs[str(blob.digest)] += b"x" * (1 << 20)
        assert registry._http.hash(f"/v2/lens/blobs/{blob.digest}", {}, blob.size_bytes).size_bytes < 1 << 20
        [fault] = registry.verify(layout, "rc", ())
        assert fault.seen == f"more than {blob.size_bytes} bytes"


def test_an_endless_manifest_is_refused(fake, layout):
    """What is larger than a manifest may be is not kept in memory."""
    with client(fake) as registry:
        digest = registry.push(layout, "rc")
        fake.manifests[str(digest)] = b" " * (LARGEST_REPLY + 1)
        with pytest.raises(IntegrityError, match="at most"):
            registry.resolve("rc")


def test_a_large_attachment_is_read_back_and_a_longer_one_is_not(fake, layout):
    """An SBOM may be larger than a manifest; what is longer than its manifest says is not read to its end."""
    large = Attachment("sbom/lens.cdx.json", "application/json", b"x" * (LARGEST_REPLY + 1))
    with client(fake) as registry:
        registry._upload._chunk_bytes = CHUNK_BYTES
        subject = registry.push(layout, "rc")
        registry.attach(subject, [large])
        assert registry.attachments(subject) == (large,)
        fake.blobs[sha256(large.content)] += b"x"
        with pytest.raises(IntegrityError, match="at most"):
            registry.attachments(subject)


def test_nothing_is_attached_to_a_damaged_image(fake, layout):
    """Its manifest is hashed first, also where the registry sends no header."""
    with client(fake) as registry:
        subject = registry.push(layout, "rc")
        fake.claim, fake.manifests[str(subject)] = "none", fake.manifests[str(subject)] + b" "
        with pytest.raises(IntegrityError, match=subject.hex):
            registry.attach(subject, attachments_of())
    assert set(fake.tags) == {"rc"}


def test_all_pages_of_tags_are_read(fake, layout):
    """Tags on the second page count, those of attachments among them."""
    fake.page = 2
    with client(fake) as registry:
        registry.attach(registry.push(layout, "rc"), attachments_of())
        assert len(registry.tags()) == 7
        assert registry.verify(layout, "rc", attachments_of()) == ()
        assert registry.verify(layout, "rc", ()) != ()


def test_an_index_that_a_crash_left_behind_is_a_fault_until_someone_attaches_again(fake_of_both, layout):
    """The attachments are there without it; attaching again writes it."""
    with client(fake_of_both) as registry:
        subject = registry.push(layout, "rc")
        registry.attach(subject, attachments_of())
        del fake_of_both.tags[subject_tag(subject)]
        assert set(registry.attachments(subject)) == set(attachments_of())
        assert [fault.artifact for fault in registry.verify(layout, "rc", attachments_of())] == [
            f"tag {subject_tag(subject)}"
        ]
        registry.attach(subject, ())
        assert registry.verify(layout, "rc", attachments_of()) == ()


def test_an_index_written_over_a_newer_one_is_written_again(fake, layout):
    """Another attaches between this one's list of tags and its write: the stale index does not stay."""
    sbom, *others = attachments_of()
    with client(fake) as registry, client(fake) as other:
        subject, put, late = registry.push(layout, "rc"), registry._shelf.put, list(others)

        def put_late(reference, media_type, content):
            if reference == subject_tag(subject) and late:
                other.attach(subject, [late.pop()])
            put(reference, media_type, content)

        registry._shelf.put = put_late
        registry.attach(subject, [sbom])
        assert not late
        assert registry.verify(layout, "rc", attachments_of()) == ()


def test_a_tag_that_names_another_attachment_of_the_same_image_is_seen(fake, layout):
    """Both are of this candidate, and yet one is gone: reading them back says so."""
    with client(fake) as registry:
        subject = registry.push(layout, "rc")
        registry.attach(subject, attachments_of())
        first, second, _ = (tag for tag in registry.tags() if ".ref-" in tag)
        fake.tags[first] = fake.tags[second]
        with pytest.raises(IntegrityError, match=first):
            registry.attachments(subject)


@pytest.mark.parametrize("times", [7, 20])
def test_a_convenience_that_cannot_be_read_is_waited_for_or_written_anew(fake, layout, times):
    """docker-registry says HTTP 500 while another writes the same tag, and for ever when it died meanwhile."""
    with client(fake) as registry:
        subject = registry.push(layout, "rc")
        sbom, *others = attachments_of()
        registry.attach(subject, [sbom])
        fake.trouble("GET", f"manifests/{subject_tag(subject)}$", 500, times=times)
        registry.attach(subject, others)
        fake.troubles.clear()
        assert registry.verify(layout, "rc", attachments_of()) == ()
        fake.trouble("GET", "", "cut", times=99)
        with pytest.raises(Unavailable):
            registry._index._standing(subject_tag(subject))


def test_what_the_referrers_api_lists_is_held_against_the_cut(layout):
    """A referrer without a tag of ours is a fault, and so is an API that does not answer."""
    with fake_registry(referrers=True) as fake, client(fake) as registry:
        subject = registry.push(layout, "rc")
        registry.attach(subject, attachments_of())
        strange = b'{"schemaVersion": 2, "subject": {"digest": "%s"}}' % str(subject).encode()
        fake.manifests[sha256(strange)], fake.kinds[sha256(strange)] = strange, "x/y"
        [fault] = registry.verify(layout, "rc", attachments_of())
        assert fault.artifact == f"referrer {sha256(strange)}"
        fake.trouble("GET", "referrers", 500, times=4)
        with pytest.raises(Unavailable, match="refers to"):
            registry.verify(layout, "rc", attachments_of())
        fake.referrers = False
        assert registry.verify(layout, "rc", attachments_of()) == ()


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_credentials_let_in(fake, layout, auth):
    """Basic, and the token flow: a token that runs out in the middle is got anew."""
    fake.auth, fake.token_for = auth, 3
    with client(fake, credentials=Credentials("lens", "secret")) as registry:
        subject = registry.push(layout, "rc")
        registry.attach(subject, attachments_of())
        assert registry.verify(layout, "rc", attachments_of()) == ()
    assert (len(fake.tokens) > 5) == (auth == "bearer")


@pytest.mark.parametrize("auth", ["basic", "bearer"])
@pytest.mark.parametrize("credentials", [None, Credentials("lens", "wrong-word")])
def test_wrong_credentials_are_refused_and_not_shown(fake, layout, auth, credentials):
    """Refused at the first request; the password stands neither in the message nor in what the value shows."""
    fake.auth = auth
    with client(fake, credentials=credentials) as registry, pytest.raises(Refused, match="does not let") as refused:
        registry.push(layout, "rc")
    assert "wrong-word" not in f"{refused.value}{refused.value.hint}{credentials}"
    assert not fake.blobs


def test_blobs_may_come_from_elsewhere_without_our_credentials(fake, layout):
    """A redirect to another server is followed, and that server is not told who we are."""
    fake.auth = "basic"
    with fake_registry() as other, client(fake, credentials=Credentials("lens", "secret")) as registry:
        registry.push(layout, "rc")
        other.blobs, fake.redirect = dict(fake.blobs), other.url
        assert registry.verify(layout, "rc", ()) == ()
        assert len(other.asked) == 3
        assert not [headers for _, _, headers in other.asked if "Authorization" in headers]
        other.blobs[str(large_blob(layout).digest)] = LARGE
        assert len(registry.verify(layout, "rc", ())) == 1


@pytest.mark.parametrize("where", ["http://registry.invalid", "ftp://127.0.0.1", "file:///etc"])
def test_a_redirect_to_the_open_is_refused(fake, layout, where):
    """Only https, or this machine when the registry is on it."""
    with client(fake) as registry:
        registry.push(layout, "rc")
        fake.redirect = where
        with pytest.raises(Refused, match="expected https"):
            registry.verify(layout, "rc", ())
    fake.auth, fake.realm = "bearer", f"{where}/token"
    with client(fake, credentials=Credentials("lens", "secret")) as registry, pytest.raises(Refused):
        registry.resolve("rc")


def test_a_registry_elsewhere_does_not_lead_to_this_machine():
    """A redirect of a public registry to loopback would reach what listens only here."""
    far = RegistryHttp("https://registry.invalid", timeout_s=1)
    for where in ("http://127.0.0.1:1/", "https://localhost/", "https://[::1]/"):
        with pytest.raises(Refused):
            far._allowed(httpx.URL(where))
    assert far._allowed(httpx.URL("https://blobs.invalid/x"))
    far.close()


def test_a_circle_of_redirects_ends(fake, layout):
    """It is Unavailable after a few hops."""
    with client(fake) as registry:
        registry.push(layout, "rc")
        fake.redirect = fake.url
        with pytest.raises(Unavailable, match="redirects"):
            RegistryHttp(fake.url, timeout_s=5).ask("GET", f"/v2/lens/blobs/{large_blob(layout).digest}")
        assert len(registry.verify(layout, "rc", ())) == 3


@pytest.mark.parametrize(
    "url",
    # pragma: allowlist nextline secret (nobody's)
    ["http://registry.invalid", "https://user:word@registry.invalid", "https://a/v2/", "127.0.0.1:5000", "http://"],
)
def test_an_address_that_is_no_registrys_is_refused(url):
    """Plain http elsewhere, credentials or a path in the URL, no host."""
    with pytest.raises(InvalidInput) as refused:
        Registry(url, "lens", timeout_s=1, progress=print)
    assert "word" not in str(refused.value)


@pytest.mark.parametrize("repository", ["", "Lens", "../x", "a//b", "a/../b", "a?b", "a" * 256, "a\n"])
def test_a_repository_that_is_no_name_is_refused(repository):
    """It would become part of a path."""
    with pytest.raises(InvalidInput, match="expected a repository"):
        Registry("http://127.0.0.1:5000", repository, timeout_s=1, progress=print)


@pytest.mark.parametrize("tag", ["", "../x", "a/b", "a?b", ".a", "a" * 129, "a\n"])
def test_a_tag_that_is_no_name_is_refused(fake, layout, tag):
    """Nothing is asked for it."""
    with client(fake) as registry:
        for use in (lambda: registry.push(layout, tag), lambda: registry.resolve(tag)):
            with pytest.raises(InvalidInput, match="expected a tag"):
                use()
        with pytest.raises(InvalidInput, match="expected a tag"):
            registry.verify(layout, tag, ())
    assert not fake.asked


def test_progress_speaks_of_bytes(fake, layout):
    """Which blob, how much of it, and what was there already."""
    lines = []
    with client(fake, progress=lines.append) as registry:
        registry.push(layout, "rc")
        registry.push(layout, "rc")
    assert any("1,000 bytes of 12," in line and "layer 1 of 2" in line for line in lines)
    assert any("are there already" in line for line in lines)
