import base64
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from modules.cache.workload import Workload, WorkloadRefusedError, WorkloadUnreachableError

asked: list[tuple[str, dict[str, str]]] = []


class Edged(BaseHTTPRequestHandler):
    """Encrypts by turning the text round, and refuses what begins with 'no'."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked.append((self.path, body))
        name, answer = ("plaintext", "ciphertext") if "/encrypt?" in self.path else ("ciphertext", "plaintext")
        raw = base64.b64decode(body[name])
        status, document = (500, {"message": "no"}) if raw.startswith(b"no") else (200, {answer: turned(raw)})
        if raw == b"nonsense":
            document = {"other": ""}
            status = 200
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_arguments: object) -> None:
        pass

    def address_string(self) -> str:
        return ""


def turned(raw: bytes) -> str:
    return base64.b64encode(raw[::-1]).decode()


@pytest.fixture(params=["http", "unix"])
def workload(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workload]:
    asked.clear()
    server: HTTPServer | UnixStreamServer
    if request.param == "http":
        server = HTTPServer(("127.0.0.1", 0), Edged)
        uri = f"http://127.0.0.1:{server.server_port}/"
    else:
        path = tmp_path / "a b.sock"
        server = UnixStreamServer(str(path), Edged)
        uri = f"unix://{str(path).replace(' ', '%20')}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Workload(uri=uri, module="my cache", generation="g1", api_version="2019-01-30")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_key_goes_there_and_back(workload: Workload) -> None:
    wrapped = workload.encrypt(b"key", b"iv")
    assert wrapped == b"yek"
    assert workload.decrypt(wrapped, b"iv") == b"key"
    assert asked[0] == (
        "/modules/my%20cache/genid/g1/encrypt?api-version=2019-01-30",
        {"plaintext": base64.b64encode(b"key").decode(), "initializationVector": base64.b64encode(b"iv").decode()},
    )


def test_a_refusal_says_why(workload: Workload) -> None:
    with pytest.raises(WorkloadRefusedError, match="500") as refusal:
        workload.decrypt(b"no", b"iv")
    assert refusal.value.status == 500


def test_an_answer_without_a_key_is_a_refusal(workload: Workload) -> None:
    with pytest.raises(WorkloadRefusedError, match="cannot be read"):
        workload.decrypt(b"nonsense", b"iv")


@pytest.mark.parametrize("uri", ["unix:///nowhere/at/all.sock", "http://127.0.0.1:{port}/", "nonsense"])
def test_nobody_there(uri: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = uri.format(port=taken.getsockname()[1])
        with pytest.raises(WorkloadUnreachableError):
            Workload(uri=address, module="m", generation="g", api_version="v").encrypt(b"", b"")


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(KeyError, match="IOTEDGE_MODULEID"):
        Workload.from_environment({"IOTEDGE_WORKLOADURI": "unix:///x"})
