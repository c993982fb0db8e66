"""The hub, played by a server of our own: what is asked of it, and what is made of its answers."""

from __future__ import annotations

import gc
import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fleet.exits import Exit, FleetError
from fleet.hub import Hub, RefusedError
from fleet.login import Login
from localhub.certs import Authority

Answer = tuple[int, dict[str, str], Any]


class Played:
    """Answers in the order that they were put in; None breaks the connection."""

    def __init__(self) -> None:
        self.answers: deque[Answer | None] = deque()
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(datetime.now(UTC))


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
def login(played: Played, authority: Authority, tmp_path: Path) -> Iterator[Login]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            played.asked.append((self.command, self.path, json.loads(body) if body else None, headers))
            answer = played.answers.popleft()
            if answer is None:
                self.close_connection = True
                return
            status, extra, document = answer
            data = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  http.server's names

        def log_message(self, *_: object) -> None:
            """Quiet."""

    chain, key = authority.server(("127.0.0.1",), datetime.now(UTC))
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield Login(f"127.0.0.1:{server.server_port}", "iothubowner", "a2V5", str(tmp_path / "ca.pem"))
        server.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been slept."""
    found: list[float] = []
    monkeypatch.setattr("fleet.hub.time.sleep", found.append)
    return found


@pytest.fixture
def hub(login: Login, waits: list[float]) -> Iterator[Hub]:
    assert waits == []
    made = Hub(login, tries=3)
    yield made
    made.close()
    gc.collect()


TWIN = {"deviceId": "gw1", "tags": {}, "properties": {"desired": {"$version": 3}, "reported": {}}}


def test_a_busy_hub_is_asked_again_as_late_as_it_wants(hub: Hub, played: Played, waits: list[float]) -> None:
    played.answers += [(429, {"Retry-After": "7"}, {"Message": "slow down"}), (503, {}, {}), (200, {}, TWIN)]
    assert hub.twin("gw1")["properties"]["desired"]["$version"] == 3
    assert 7 <= waits[0] <= 7 * 1.25
    assert 0 < waits[1] <= 1.0
    assert len(waits) == 2
    assert len(played.asked) == 3


def test_patience_ends(hub: Hub, played: Played) -> None:
    played.answers += [(429, {"Retry-After": "0"}, {"Message": "ErrorCode:Throttling;later"})] * 3
    with pytest.raises(RefusedError, match="the hub said 429: ErrorCode:Throttling;later") as refused:
        hub.twin("gw1")
    assert refused.value.code == Exit.BUSY
    assert len(played.asked) == 3


@pytest.mark.parametrize(
    ("status", "code"), [(400, Exit.REFUSED), (401, Exit.ACCESS), (403, Exit.ACCESS), (412, Exit.REFUSED)]
)
def test_what_is_refused_is_not_asked_again(hub: Hub, played: Played, status: int, code: Exit) -> None:
    played.answers.append((status, {}, {"Message": "ErrorCode:X;no", "ExceptionMessage": "no such thing"}))
    with pytest.raises(RefusedError, match="no such thing") as refused:
        hub.twin("gw1", "camera")
    assert refused.value.code == code
    assert played.asked[0][:2] == ("GET", "/twins/gw1/modules/camera?api-version=2021-04-12")


def test_pages_are_followed_by_their_token_and_may_be_empty(hub: Hub, played: Played) -> None:
    rows = [{"deviceId": f"gw{number}", "configurations": {"base": {"status": "Applied"}}} for number in range(3)]
    played.answers += [
        (200, {"x-ms-continuation": "t1", "x-ms-item-type": "Twin"}, rows[:2]),
        (200, {"x-ms-continuation": "t2", "x-ms-item-type": "Twin"}, []),
        (200, {"x-ms-item-type": "Twin"}, rows[2:]),
    ]
    assert list(hub.query("SELECT * FROM devices", 2)) == [rows[:2], [], rows[2:]]
    asked = [(body["query"], headers.get("x-ms-continuation"), headers["x-ms-max-item-count"])
             for _, _, body, headers in played.asked]  # fmt: skip
    assert asked == [("SELECT * FROM devices", token, "2") for token in (None, "t1", "t2")]


def test_a_method_is_not_called_twice_when_the_connection_breaks(hub: Hub, played: Played) -> None:
    played.answers += [None, (200, {}, {"status": 200, "payload": None})]
    with pytest.raises(FleetError, match="the hub does not answer") as away:
        hub.invoke("gw1", "camera", "captureNow", {"n": 1}, 10, 0)
    assert away.value.code == Exit.AWAY
    assert len(played.asked) == 1
    played.answers.popleft()
    played.answers += [None, (200, {}, TWIN)]
    assert hub.twin("gw1")["deviceId"] == "gw1"  # to look twice does no harm
    assert len(played.asked) == 3


def test_a_patch_that_deletes_says_null(hub: Hub, played: Played) -> None:
    played.answers += [(200, {}, TWIN), (200, {}, TWIN)]
    patch = {
        "tags": {"ring": None},
        "properties": {"desired": {"settings": {"old": None, "deep": {"er": None, "n": 1}}}},
    }
    hub.patch_twin("gw1", None, patch)
    hub.patch_twin("gw1", "camera", patch)
    assert [(method, path.partition("?")[0], body) for method, path, body, _ in played.asked] == [
        ("PATCH", "/twins/gw1", patch), ("PATCH", "/twins/gw1/modules/camera", patch),
    ]  # fmt: skip


def test_an_etag_is_kept_to(hub: Hub, played: Played) -> None:
    played.answers += [
        (200, {}, {"id": "base", "etag": "Mg=="}),
        (200, {}, {"id": "base", "etag": "Mw=="}),
        (204, {}, None),
    ]
    known = hub.deployment("base")
    assert known is not None
    hub.put_deployment({"id": "base", "priority": 3}, known["etag"])
    hub.delete_deployment("base", "Mw==")
    assert [(method, headers.get("if-match")) for method, _, _, headers in played.asked] == [
        ("GET", None), ("PUT", '"Mg=="'), ("DELETE", '"Mw=="'),
    ]  # fmt: skip


def test_an_authority_that_is_not_known_is_not_trusted(login: Login, waits: list[float]) -> None:
    with pytest.raises(FleetError, match="certificate verify failed") as refused:
        Hub(Login(login.host, login.policy, login.key), tries=5).twin("gw1")
    assert refused.value.code == Exit.AWAY
    assert waits == []
    gc.collect()
