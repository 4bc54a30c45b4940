"""A registry in this process that keeps the distribution specification, and breaks it when it is asked to."""

import base64
import hashlib
import http.server
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_REALM = "/token"


@dataclass
class Trouble:
    """Meets ``times`` requests of this method whose path the pattern is found in, after ``spare`` were let through.

    ``act``: an HTTP code, ``cut`` (hang up before answering), ``half`` (take half of the body, then hang up),
    ``short`` (answer with half of the promised bytes).
    """

    method: str
    path: str
    act: int | str
    times: int = 1
    spare: int = 0

    def meets(self, method, path):
        """Count down."""
        if method != self.method or not re.search(self.path, path) or not self.times:
            return False
        if self.spare:
            self.spare -= 1
            return False
        self.times -= 1
        return True


class FakeRegistry(http.server.ThreadingHTTPServer):
    """What it holds, and how it misbehaves; everything may be changed while it runs."""

    request_queue_size = 64
    daemon_threads = True

    def __init__(self, *, referrers=False):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.referrers = referrers
        self.blobs, self.manifests, self.kinds, self.tags, self.uploads = {}, {}, {}, {}, {}
        self.troubles, self.asked = [], []
        self.account, self.auth, self.token_for, self.realm = ("lens", "secret"), "", 10**9, self.url + _REALM
        self.redirect, self.claim, self.page, self.forgets_uploads = "", "", 10**9, False
        self.tokens, self.lock = {}, threading.RLock()

    def trouble(self, *arguments, **more):
        """Ask for a Trouble."""
        self.troubles.append(Trouble(*arguments, **more))

    def handle_error(self, request, client_address):
        """A connection that was cut on purpose is no news."""

    def sent(self, method, part=""):
        """The paths that were asked with ``method`` and contain ``part``."""
        return [path for asked, path, _ in self.asked if asked == method and part in path]


@contextmanager
def fake_registry(**options):
    """A running fake."""
    with FakeRegistry(**options) as made:
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made
        made.shutdown()


def sha256(content):
    """The digest as a registry writes it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeRegistry

    def do_ANY(self):
        """Note the request, meet its trouble, else answer it."""
        registry, path = self.server, urlsplit(self.path).path
        length = int(self.headers.get("Content-Length") or 0)
        with registry.lock:
            registry.asked.append((self.command, self.path, dict(self.headers)))
            trouble = next((each for each in registry.troubles if each.meets(self.command, path)), None)
        act = trouble.act if trouble else ""
        body = self.rfile.read(length // 2 if act == "half" else length)
        self.short = act == "short"
        if isinstance(act, int):
            self.answer(act, b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN"}]}')
        elif act == "cut":
            self.hang_up()
        elif act == "half":
            if self.command == "PATCH":
                registry.uploads[path.rsplit("/", 1)[1]] += body
            self.hang_up()
        elif self.is_let_in(path):
            with registry.lock:
                self.route(path, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_ANY  # noqa: N815

    def route(self, path, body):
        """One method per kind of path."""
        if path == "/v2/":
            self.answer(200, b"{}")
        elif path == _REALM:
            self.give_token()
        elif found := re.fullmatch(r"/v2/(.+)/blobs/uploads/([0-9]*)", path):
            self.upload(found[1], found[2], body)
        elif found := re.fullmatch(r"/v2/(.+)/blobs/(sha256:.+)", path):
            self.blob(found[2])
        elif found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
            self.manifest(found[2], body)
        elif re.fullmatch(r"/v2/(.+)/tags/list", path):
            self.list_tags(path)
        elif (found := re.fullmatch(r"/v2/(.+)/referrers/(sha256:.+)", path)) and self.server.referrers:
            self.list_referrers(found[2])
        else:
            self.answer(404, b"{}")

    def upload(self, repository, name, body):
        """POST begins, PATCH goes on, GET tells how far, PUT ends."""
        registry = self.server
        if self.command == "POST":
            name = str(len(registry.asked))
            registry.uploads[name] = bytearray()
        if name not in registry.uploads or (self.command == "GET" and registry.forgets_uploads):
            self.answer(404, b"{}")
            return
        held = registry.uploads[name]
        wanted = re.match(r"(\d+)-", self.headers.get("Content-Range", ""))
        if wanted and int(wanted[1]) != len(held):
            self.answer(416)
            return
        held += body
        where = {"Location": f"/v2/{repository}/blobs/uploads/{name}?at={len(held)}"}
        if self.command == "PUT":
            digest = parse_qs(urlsplit(self.path).query)["digest"][0]
            if sha256(held) != digest:
                self.answer(400, b'{"errors": [{"code": "DIGEST_INVALID"}]}')
                return
            registry.blobs[digest] = bytes(registry.uploads.pop(name))
            self.answer(201)
        elif self.command == "DELETE":
            del registry.uploads[name]
            self.answer(204)
        else:
            code = 204 if self.command == "GET" else 202
            self.answer(code, headers={**where, "Range": f"0-{max(0, len(held) - 1)}"})

    def blob(self, digest):
        """GET and HEAD, here or by redirect."""
        registry = self.server
        if digest not in registry.blobs:
            self.answer(404, b"{}")
        elif registry.redirect and self.command == "GET":
            self.answer(307, headers={"Location": f"{registry.redirect}{urlsplit(self.path).path}"})
        else:
            self.answer(200, registry.blobs[digest], {"Docker-Content-Digest": digest})

    def manifest(self, reference, body):
        """PUT keeps what refers to it; GET by tag or digest."""
        registry = self.server
        if self.command == "PUT":
            digest = sha256(body)
            named = [value.get("config") for value in [json.loads(body)]] + json.loads(body).get("layers", [])
            if any(each and each["digest"] not in registry.blobs for each in named):
                self.answer(400, b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN"}]}')
                return
            registry.manifests[digest], registry.kinds[digest] = body, self.headers["Content-Type"]
            if not reference.startswith("sha256:"):
                registry.tags[reference] = digest
            self.answer(201, headers={"Docker-Content-Digest": digest})
            return
        digest = registry.tags.get(reference, reference)
        if digest not in registry.manifests:
            self.answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
            return
        claim = {"Docker-Content-Digest": registry.claim or digest}
        self.answer(200, registry.manifests[digest], {} if registry.claim == "none" else claim)

    def list_tags(self, path):
        """A page of them."""
        last = parse_qs(urlsplit(self.path).query).get("last", [""])[0]
        rest = sorted(tag for tag in self.server.tags if tag > last)
        page = rest[: self.server.page]
        more = {"Link": f'<{path}?last={page[-1]}>; rel="next"'} if len(rest) > len(page) else {}
        self.answer(200, json.dumps({"name": "x", "tags": page}).encode(), more)

    def list_referrers(self, subject):
        """The index that the API of 1.1 gives."""
        found = [
            {"mediaType": self.server.kinds[digest], "digest": digest, "size": len(content)}
            for digest, content in self.server.manifests.items()
            if json.loads(content).get("subject", {}).get("digest") == subject
        ]
        self.answer(200, json.dumps({"schemaVersion": 2, "manifests": found}).encode())

    def is_let_in(self, path):
        """Basic, or a token that holds for ``token_for`` requests."""
        registry, sent = self.server, self.headers.get("Authorization", "")
        if not registry.auth or path == _REALM:
            return True
        if registry.auth == "basic":
            good, challenge = sent == self.basic(), 'Basic realm="fake"'
        else:
            left = registry.tokens.get(sent.removeprefix("Bearer "), 0)
            registry.tokens[sent.removeprefix("Bearer ")] = left - 1
            good = left > 0
            challenge = f'Bearer realm="{registry.realm}",service="fake",scope="repository:x:pull,push"'
        if not good:
            self.answer(401, b"{}", {"WWW-Authenticate": challenge})
        return good

    def give_token(self):
        """A token for whoever knows the account."""
        if self.headers.get("Authorization") != self.basic():
            self.answer(401, b"{}")
            return
        token = f"token-{len(self.server.tokens)}"
        self.server.tokens[token] = self.server.token_for
        self.answer(200, json.dumps({"token": token}).encode())

    def basic(self):
        """The header of the one account."""
        return "Basic " + base64.b64encode(":".join(self.server.account).encode()).decode()

    def answer(self, code, body=b"", headers=None):
        """Answer, or promise more than is sent."""
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if self.short else body)
        if self.short:
            self.hang_up()

    def hang_up(self):
        """Close the connection."""
        self.close_connection = True
        self.connection.close()

    def log_message(self, *arguments):
        """Be quiet."""
