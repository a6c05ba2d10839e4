#!/usr/bin/env python3
"""A model hub on the loopback interface that behaves as badly as asked.

    hub-server.py

Prints its port and serves until standard input ends. The first part of a path is the way
to behave, the rest is as on the hub: /MODE/OWNER/NAME/resolve/REVISION/FILE. Every file is
made up from its name; FILES has their sizes. State (how often a file was asked for) is
kept per path, so that a test that uses its own NAME is alone with its server.
"""

import hashlib
import re
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILES = {"config.json": 1000, "model.safetensors": 300_000}
PIECE = 70_000  # what a connection that is cut short delivers


def content(name, version=0):
    return bytes((31 * i + len(name) + version) & 255 for i in range(FILES[name]))


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = Counter()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.asked[self.path] += 1
        self.turn = self.asked[self.path]
        mode, self.name = self.path.split("/")[1], self.path.split("/")[-1]
        getattr(self, "serve_" + mode.replace("-", "_"))()

    # --- Pieces that the modes are put together from ---

    def start_file(self, body, status=200, tag=True, length=None, extra=()):
        self.send_response(status)
        if tag and (self.name == "model.safetensors" or status == 302):
            self.send_header("X-Linked-ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(body)))
        elif tag:
            blob = b"blob %d\0" % len(body) + body
            self.send_header("ETag", f'W/"{hashlib.sha1(blob).hexdigest()}"')
        for key, value in extra:
            self.send_header(key, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def send_range(self, body, cut=None, tag=True):
        """The part that was asked for; with `cut`, no more than that many bytes of it."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(found[1]) if found else 0
        if first >= len(body):
            self.start_file(body, 416, tag, 0, [("Content-Range", f"bytes */{len(body)}")])
            return
        rest = body[first:]
        where = [("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")] if found else []
        self.start_file(body, 206 if found else 200, tag, len(rest), where)
        self.send_body(rest, cut)

    def send_body(self, body, cut=None):
        self.wfile.write(body[:cut])
        if cut is not None and cut < len(body):
            self.close_connection = True

    def send_error_page(self, status, extra=()):
        self.send_response(status)
        for key, value in extra:
            self.send_header(key, value)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"Sorry")

    # --- Modes ---

    def serve_plain(self):
        self.send_range(content(self.name))

    def serve_drop(self):
        self.send_range(content(self.name), PIECE)

    def serve_no_range(self):
        """Drops the first connection, and then sends everything whatever was asked for."""
        body = content(self.name)
        self.start_file(body, length=len(body))
        self.send_body(body, PIECE if self.turn == 1 else None)

    def serve_changed(self):
        """The file changes after the first connection was cut."""
        self.send_range(content(self.name, min(self.turn, 2)), PIECE if self.turn == 1 else None)

    def serve_shifted(self):
        """Answers a request for the rest with another part of the file."""
        body = content(self.name)
        if self.turn == 1 or "Range" not in self.headers:
            self.send_range(body, PIECE if self.turn == 1 else None)
        else:
            self.start_file(body, 206, length=10, extra=[("Content-Range", f"bytes 0-9/{len(body)}")])
            self.send_body(body[:10])

    def serve_redirect(self):
        body = content(self.name)
        self.start_file(body, 302, length=0, extra=[("Location", f"/storage/{self.name}")])

    def serve_storage(self):
        """A storage server: another tag than the hub's, which says nothing of the bytes."""
        body = content(self.name)
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(found[1]) if found else 0
        where = [("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")] if found else []
        self.start_file(body, 206 if found else 200, False, len(body) - first,
                        [("ETag", '"0123456789abcdef-17"')] + where)
        self.send_body(body[first:], PIECE)

    def serve_loop(self):
        self.start_file(b"", 302, False, 0, [("Location", self.path)])

    def serve_busy(self):
        if self.turn <= 2:
            self.send_error_page(503, [("Retry-After", "0")])
        else:
            self.serve_plain()

    def serve_down(self):
        self.send_error_page(500)

    def serve_missing(self):
        self.send_error_page(404)

    def serve_forbidden(self):
        self.send_error_page(403)

    def serve_portal(self):
        """A network that answers everything with its login page."""
        self.send_error_page(200)

    def serve_corrupt(self):
        body = content(self.name)
        self.start_file(body, length=len(body))
        self.send_body(body[:-1] + b"?")

    def serve_other(self):
        """Another file of the same size, honestly described."""
        self.send_range(content(self.name, 9))

    def serve_unnamed(self):
        """States no checksum."""
        self.send_range(content(self.name), tag=False)

    def serve_short(self):
        """Promises more than it sends, every time, without ranges."""
        body = content(self.name)
        self.start_file(body, length=len(body))
        self.send_body(body, 10)

    def serve_long(self):
        """Sends more than it should, without saying how much."""
        self.start_file(content(self.name), tag=False)
        self.close_connection = True
        try:
            for _ in range(100):
                self.wfile.write(content(self.name))
        except OSError:
            pass

    def serve_enormous(self):
        self.start_file(b"", tag=False, length=10**15)
        self.send_body(b"x" * 10, 5)

    def serve_stall(self):
        """Falls silent in the middle of the first answer."""
        body = content(self.name)
        if self.turn > 1:
            self.send_range(body)
            return
        self.start_file(body, length=len(body))
        self.send_body(body, PIECE)
        self.wfile.flush()
        threading.Event().wait(3)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients that hang up are part of the tests
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
