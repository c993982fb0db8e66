"""Files that are not what was signed, do not end, or come slowly: through a real HTTPS server."""

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from modules.inference.updates import pace
from tests.modules.inference.updates.refusals import Gateway, Operator, Web, flipped, refused


def test_wrong_hash(operator: Operator, gateway: Gateway) -> None:
    operator.publish()
    operator.body().write_bytes(flipped(operator.body().read_bytes()))
    assert refused(gateway) == "hash"
    assert gateway.partial() == []


def test_a_file_shorter_than_signed(operator: Operator, gateway: Gateway) -> None:
    operator.publish()
    operator.body().write_bytes(operator.body().read_bytes()[:-512])
    assert refused(gateway) == "hash"
    assert gateway.partial() == []


def test_a_package_larger_than_the_gateway_takes(operator: Operator, gateway: Gateway, web: Web) -> None:
    operator.publish()
    assert refused(gateway, largest=1000) == "oversize"
    assert not any(path.endswith(".tar") for path, _ in web.asked)


def test_a_file_longer_than_signed(operator: Operator, gateway: Gateway) -> None:
    operator.publish()
    operator.body().write_bytes(operator.body().read_bytes() + b"more")
    assert refused(gateway) == "oversize"
    assert gateway.partial() == []


def endless(handler: BaseHTTPRequestHandler, _body: bytes) -> bool:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    for _ in range(2000):  # 64 MB
        handler.wfile.write(b"x" * 32768)
    return True


@pytest.mark.parametrize("path", ["timestamp.json", "1.snapshot.json", ".tar"])
def test_endless_data(operator: Operator, gateway: Gateway, web: Web, path: str) -> None:
    operator.publish()
    web.faults[path.replace("1.", f"{operator.file('snapshot').name.split('.')[0]}.")] = endless
    assert refused(gateway) == "oversize"
    assert sum(each.stat().st_size for each in gateway.partial()) == 0


def trickle(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for place in range(len(body)):
        handler.wfile.write(body[place : place + 1])
        handler.wfile.flush()
        time.sleep(0.02)
    return True


def silent(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.flush()
    time.sleep(2)
    return True


@pytest.mark.parametrize("fault", [trickle, silent])
@pytest.mark.parametrize("path", ["timestamp.json", ".tar"])
def test_slow_retrieval(
    operator: Operator,
    gateway: Gateway,
    web: Web,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    fault: Callable[[BaseHTTPRequestHandler, bytes], bool],
) -> None:
    monkeypatch.setattr(pace, "SLOW_S", 0.3)
    operator.publish()
    web.faults[path] = fault
    assert refused(gateway, gap_s=0.5) == "slow"


def test_an_interrupted_download_goes_on_where_it_broke_off(operator: Operator, gateway: Gateway, web: Web) -> None:
    target = operator.publish()
    whole = operator.body().stat().st_size

    def cut(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        if handler.headers.get("Range"):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:5000])
        handler.close_connection = True
        return True

    web.faults[".tar"] = cut
    assert refused(gateway) == "link"
    (partial,) = gateway.partial()
    assert 0 < partial.stat().st_size <= 5000 < whole
    assert gateway.fetch(target)
    assert web.asked[-1][1] == "bytes=5000-"


def test_a_store_that_cannot_resume_is_asked_from_the_start(operator: Operator, gateway: Gateway, web: Web) -> None:
    target = operator.publish()
    gateway.said.clear()
    partial = gateway.job.folder / "partial" / operator.body().name.split(".")[0]
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"z" * 3000)

    def whole(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        return True

    web.faults[".tar"] = whole
    assert gateway.fetch(target)


def test_what_somebody_put_into_the_partial_file_is_found_out(operator: Operator, gateway: Gateway) -> None:
    target = operator.publish()
    partial = gateway.job.folder / "partial" / operator.body().name.split(".")[0]
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"z" * 600)
    assert refused(gateway) == "hash"
    assert gateway.fetch(target)
