"""A small server on loopback that answers, fails or hangs up as it is asked to."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answer with the question, hang up on "drop", fail on "fail"."""
        asked = parse_qs(urlsplit(self.path).query)["q"][0]
        self.server.asked.append(asked)
        if asked == "drop":
            self.close_connection = True
            self.connection.close()
            return
        body = json.dumps({"hits": [], "q": asked}).encode()
        self.send_response(500 if asked == "fail" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Be quiet."""


@contextmanager
def answering() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server on loopback that remembers what it was asked."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as made:
        made.asked = []
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()


class _Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        """Remember what came, tell whoever waits for it, then take it, or refuse when asked to."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.on_message()
        self.server.taken.append((self.headers["X-Lens-Message"], body))
        self.server.arrived.set()
        self.send_response(500 if self.server.refuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        """Be quiet."""


@contextmanager
def receiving(*, refuses: bool = False) -> Iterator[http.server.ThreadingHTTPServer]:
    """A webhook on loopback that remembers (message id, body) of what it took; ``on_message`` is called first."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Webhook) as made:
        made.taken, made.arrived, made.refuses, made.on_message = [], threading.Event(), refuses, lambda: None
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()
