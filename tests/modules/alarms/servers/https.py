"""A webhook: `PORT CERTIFICATE KEY LOG`. Lines in: a status to answer with. What is posted goes to LOG, a line each."""

import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWER = {"status": 204}
LOCK = threading.Lock()


def say(word: str) -> None:
    with LOCK:
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with Path(sys.argv[4]).open("a") as file:
            file.write(json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}) + "\n")
        self.send_response(ANSWER["status"])
        self.send_header("Location", "https://192.0.2.1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main(port: str, cert: str, key: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Hook)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say("ready")
    while line := sys.stdin.readline():
        ANSWER["status"] = json.loads(line)
        say("done")


main(*sys.argv[1:4])
