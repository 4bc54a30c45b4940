"""A server on loopback that speaks the OSV API, and misbehaves as it is asked to.

It knows nothing of ranges, aliases or Lens: it answers with the records that list a version literally.
"""

import http.server
import json
import threading
from contextlib import contextmanager


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Give a record by id."""
        self._answer(None)

    def do_POST(self):
        """Answer one question or a batch."""
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body):
        server = self.server
        server.asked.append((self.path, body))
        good = _good(server.records, self.path, body)
        status, headers, content = server.behave(self.path, body, good)
        if status is None:
            self.close_connection = True
            return
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response_only(status)
        headers = {"Date": self.date_time_string(), "Content-Type": "application/json", **headers}
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Be quiet."""


def _good(records, path, body):
    """What a well-behaved server says."""
    if path == "/v1/query":
        return {"vulns": found} if (found := _find(records, body)) else {}
    if path == "/v1/querybatch":
        listed = [
            [{"id": one["id"], "modified": one["modified"]} for one in _find(records, q)] for q in body["queries"]
        ]
        return {"results": [{"vulns": found} if found else {} for found in listed]}
    return next((one for one in records if one["id"] == path.removeprefix("/v1/vulns/")), {"code": 5})


def _find(records, query):
    package = query["package"]
    return [
        one
        for one in records
        if any(
            place["package"]["name"].lower() == package["name"]
            and place["package"]["ecosystem"] == package["ecosystem"]
            and query["version"] in place.get("versions", ())
            for place in one["affected"]
        )
    ]


def well(path, body, good):
    """Answer as asked."""
    return 200, {}, good


@contextmanager
def osv_server(records, behave=well):
    """The server; ``url`` is where it is, ``behave(path, body, good answer)`` gives status, headers and content."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as made:
        made.daemon_threads = True
        made.records, made.behave, made.asked = list(records), behave, []
        made.url = f"http://127.0.0.1:{made.server_address[1]}"
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield made
        made.shutdown()
