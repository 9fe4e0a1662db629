"""Counts its visits in a file on a volume, so that the number outlives the container."""

import http.server
import os
import signal
import sys

COUNTER = os.environ.get("COUNTER", "/data/visits")


def visits() -> int:
    try:
        with open(COUNTER) as file:
            count = int(file.read())
    except (FileNotFoundError, ValueError):
        count = 0
    with open(COUNTER, "w") as file:
        file.write(str(count + 1))
    return count + 1


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"visit {visits()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("listening on 8000", flush=True)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
