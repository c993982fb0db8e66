"""What a stranger can try, on raw sockets against the real server: right codes, nothing leaks, nobody is kept out."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from modules.status import patience
from modules.status.near import Near

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line

Play = Callable[[Callable[["Line"], Awaitable[None]]], None]
ACT = "/api/v1/alerts/x/acknowledge"
BODY = b'{"who": "Ada"}'


async def raw(line: "Line", request: bytes, *, end: bool = False) -> bytes:
    """What comes back for bytes, until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(line.url).port)
    writer.write(request)
    if end:
        writer.write_eof()
    try:
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()


def post(line: "Line", path: str = ACT, body: bytes = BODY, /, **headers: str) -> bytes:
    """A POST as a browser or a program would send it; an empty text leaves a header out."""
    given = {
        "Host": httpx.URL(line.url).netloc.decode(),
        "Authorization": f"Bearer {line.token}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


LEAKS = (b"Traceback", b".py", b"site-packages", b"/data", b"tokens/", b"sqlite")


def clean(line: "Line", answer: bytes) -> None:
    for leak in (*LEAKS, line.token.encode()):
        assert leak not in answer, leak


STRANGERS: list[tuple[int, dict[str, str]]] = [
    (404, {}),  # known: no such alert
    (401, {"Authorization": ""}),
    (401, {"Authorization": "Bearer wrong"}),
    (401, {"Authorization": "Bearer "}),
    (401, {"Authorization": "Basic QWRhOng="}),
    (401, {"Authorization": "Bearer \xe9\xff"}),
    (421, {"Host": "evil.example"}),
    (421, {"Host": "127.0.0.1.evil.example"}),
    (421, {"Host": "localhost@evil.example"}),
    (403, {"Origin": "http://evil.example"}),
    (403, {"Origin": "null"}),
    (403, {"Origin": "http://localhost:1"}),
    (403, {"Sec_Fetch_Site": "cross-site"}),
    (403, {"Sec_Fetch_Site": "same-site"}),
    (403, {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}),
    (413, {"Content_Length": "9999999999999999999"}),
    (415, {"Content_Type": "text/plain"}),
    (415, {"Content_Type": "application/x-www-form-urlencoded"}),
    (415, {"Content_Type": "application/json; charset=utf-16"}),
    (415, {"Content_Encoding": "gzip"}),
]


def test_headers_of_a_stranger(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        for code, changed in STRANGERS:
            answer = await raw(line, post(line, **changed))
            assert status(answer) == code, (changed, answer)
            assert b"application/problem+json" in answer
            clean(line, answer)

    play_line(part)


def test_odd_bodies(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        message = line.alert()
        await line.settled()
        path = f"/api/v1/alerts/{message.message_id}/acknowledge"
        for body in (
            b"\xff\xfe\x00",
            b'{"who": "\xc3\x28"}',
            b'{"who": "\\ud800"}',
            b'{"\\ud800": 1, "who": "A"}',
            b'{"who": "a\\u0000b"}',
            b'{"who": "a\\nb"}',
            b'{"who": 1}',
            b"[" * 9000,
            b'{"who": NaN}',
            b"null",
            b"",
            b'{"who": "A", "why": "' + b"x" * 500 + b'"}',
        ):
            answer = await raw(line, post(line, path, body))
            assert status(answer) in (400, 422), (body[:30], answer)
            assert b"application/problem+json" in answer
            clean(line, answer)
        assert (await line.get(f"/api/v1/alerts/{message.message_id}"))["acknowledged"] is None
        assert status(await raw(line, post(line, path, '{"who": "Ünïcode 🙂"}'.encode()))) == 200

    play_line(part)


def test_bodies_without_a_length_or_without_an_end(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def part(line: "Line") -> None:
        chunked = post(line, ACT, b"", Content_Length="", Transfer_Encoding="chunked") + b"ffffff\r\n" + b"x" * 9000
        assert status(await raw(line, chunked)) == 411
        assert status(await raw(line, post(line, ACT, b"x" * 16_385))) == 413
        with monkeypatch.context() as impatient:
            impatient.setattr(patience, "REQUEST_SECONDS", 0.2)
            assert await raw(line, post(line, Content_Length="15000")) == b""  # it promised more than it sends
        both = post(line, Transfer_Encoding="chunked")
        assert status(await raw(line, both)) in (400, 411)
        assert (await line.get("/healthz"))["status"] == "pass"

    play_line(part)


CLOSE = b"\r\nHost: localhost\r\nConnection: close\r\n"
NO_HTTP = [
    (400, b"GET\r\n\r\n"),
    (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
    (421, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
    (400, b"POST / HTTP/1.1" + CLOSE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    (400, b"GET /\xff HTTP/1.1" + CLOSE + b"\r\n"),
    (400, b"POST / HTTP/1.1" + CLOSE + b"Content-Length: 99999999999999999999\r\n\r\n"),
    (400, b"GET http://evil.example/ HTTP/1.1" + CLOSE + b"\r\n"),
    (400, b"OPTIONS * HTTP/1.1" + CLOSE + b"\r\n"),
    (421, b"GET / HTTP/1.0\r\n\r\n"),
    (431, b"GET / HTTP/1.1" + CLOSE + b"X: " + b"y" * 70_000 + b"\r\n\r\n"),
    (431, b"GET / HTTP/1.1" + CLOSE + b"X: y\r\n" * 9000 + b"\r\n"),
]


def test_what_is_no_http_gets_an_error_and_the_door(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        for code, request in NO_HTTP:
            answer = await raw(line, request)
            assert status(answer) in (code, 400), (request[:40], answer)
            clean(line, answer)

    play_line(part)


def test_odd_paths_lead_nowhere(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        for path in (
            "/page/../../settings.py",
            "/page/%2e%2e/%2e%2e/settings.py",
            "/page/..%2f..%2fsettings.py",
            "//etc/passwd",
            "/page//etc/passwd",
            "/page/%00",
            "/api/v1/alerts/%00",
            "/api/v1/alerts/%ff%fe",
            "/api/v1/sensors/..%2f..%2fmetrics",
        ):
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            answer = await raw(line, head.encode())
            assert status(answer) in (404, 422, 503), (path, answer)
            clean(line, answer)

    play_line(part)


def test_slow_clients_are_let_go_and_keep_nobody_out(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(patience, "CONNECTIONS_EACH", 40)

    async def part(line: "Line") -> None:
        port = httpx.URL(line.url).port

        async def drip() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"y" * 1000:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.05)
            except OSError:
                pass
            finally:
                assert await reader.read() == b""
                writer.close()

        async with asyncio.timeout(60):
            slow = [asyncio.create_task(drip()) for _ in range(30)]
            await asyncio.sleep(0.3)
            assert (await line.get("/healthz"))["status"] == "pass"
            results = await asyncio.gather(*slow, return_exceptions=True)
        assert all(each is None or isinstance(each, OSError) for each in results)

    play_line(part)


def test_a_head_without_an_end_is_not_kept(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(line.url).port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        with contextlib.suppress(OSError):  # it is shown the door while it goes on
            for _ in range(1000):
                writer.write(b"y" * 4096)
                await writer.drain()
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionResetError):
                assert status(await reader.read()) == 400
        writer.close()
        assert patience.PatientProtocol.by_client.total() <= 2

    play_line(part)


def test_what_is_asked_ahead_of_answers_is_bounded(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        port = httpx.URL(line.url).port
        one = b"GET /api/v1/queue HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = one.replace(b"localhost\r\n", b"localhost\r\nConnection: close\r\n")
        answer = await raw(line, one * patience.AHEAD + last)
        assert answer.count(b"HTTP/1.1 200 OK") == patience.AHEAD + 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(one * 3000)
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionResetError):
                assert (await reader.read()).count(b"HTTP/1.1 ") < 1000  # also of refusals
        writer.close()

    play_line(part)


def test_a_request_behind_another_one_has_its_time_too(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "REQUEST_SECONDS", 0.3)

    async def part(line: "Line") -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(line.url).port)
        queue = b"GET /api/v1/queue HTTP/1.1\r\nHost: localhost\r\n\r\n"
        writer.write(queue + b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"event: overview")
        await asyncio.sleep(1.0)  # a stream under way is no request that does not come
        line.alert()
        async with asyncio.timeout(60):
            await reader.readuntil(b"event: alert")
        writer.close()

    play_line(part)


def test_one_client_has_not_all_connections(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "CONNECTIONS_EACH", 5)

    async def part(line: "Line") -> None:
        port = httpx.URL(line.url).port
        open_ones = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        reading = [asyncio.create_task(reader.read()) for reader, _ in open_ones]
        async with asyncio.timeout(60):
            while sum(each.done() for each in reading) < 3:  # noqa: ASYNC110 - what is waited for is in the server
                await asyncio.sleep(0.01)
        for _, writer in open_ones:
            writer.close()
        ended = await asyncio.gather(*reading, return_exceptions=True)
        assert all(each == b"" or isinstance(each, OSError) for each in ended)

    play_line(part)


def test_a_client_that_does_not_read_its_stream_is_let_go(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "READ_SECONDS", 0.5)

    async def part(line: "Line") -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(line.url).port, limit=1024)
        writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(60):
            while len(line.module.events):
                line.module.events.tell("alert", {"text": "x" * 100_000})
                await asyncio.sleep(0.01)
        writer.close()

    play_line(part)


def test_roles(play_line: Play, tmp_path: Path) -> None:
    async def part(line: "Line") -> None:
        message = line.alert()
        await line.settled()
        path = f"/api/v1/alerts/{message.message_id}/acknowledge"
        reading = {"Authorization": f"Bearer {(tmp_path / 'tokens' / 'read').read_text().strip()}"}
        assert (await line.client.get("/api/v1/alerts", headers=reading)).status_code == 200
        refused = await line.client.post(path, json={"who": "Ada"}, headers=reading)
        assert (refused.status_code, refused.json()["title"]) == (403, "Not allowed")
        for role, headers in (("none", {}), ("read", reading), ("operate", line.acting)):
            assert (await line.client.get("/api/v1/session", headers=headers)).json()["role"] == role
        assert (await line.client.post(path, json={"who": "Ada"}, headers=line.acting)).status_code == 200
        trail = (await line.get("/api/v1/audit"))["actions"]
        assert [(each["what"], each["role"], each["result"]) for each in trail] == [
            ("acknowledge", "operate", "done"),
            ("POST acknowledge", "read", "refused: 403"),
        ]

    play_line(part)


def test_reading_from_another_machine_wants_a_token(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Near, "by", lambda _self, _client: False)

    async def part(line: "Line") -> None:
        for path in ("/api/v1/alerts", "/api/v1/events", "/metrics", "/readyz", "/openapi.json"):
            answer = await line.client.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        for path in ("/", "/page/app.js", "/healthz", "/api/v1/session"):  # what a person needs to log in
            assert (await line.client.get(path)).status_code == 200
        assert (await line.client.get("/api/v1/alerts", headers=line.acting)).status_code == 200

    play_line(part)


def test_a_session_reads_and_acts_and_ends(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Near, "by", lambda _self, _client: False)

    async def part(line: "Line") -> None:
        message = line.alert()
        await line.settled()
        path = f"/api/v1/alerts/{message.message_id}/acknowledge"
        browser = httpx.AsyncClient(base_url=line.url, trust_env=False)
        assert (await browser.post("/api/v1/session", json={"token": "wrong" * 5})).status_code == 401
        answer = await browser.post("/api/v1/session", json={"token": line.token})
        assert answer.json()["role"] == "operate"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
        assert line.token.lower() not in cookie
        assert (await browser.get("/api/v1/alerts")).status_code == 200
        assert (await browser.post(path, json={"who": "Ada"})).status_code == 403  # from nowhere
        foreign = {"Origin": "http://evil.example"}
        assert (await browser.post(path, json={"who": "Ada"}, headers=foreign)).status_code == 403
        own = {"Origin": line.url}
        assert (await browser.post(path, json={"who": "Ada"}, headers=own)).status_code == 200
        value = browser.cookies["millwatch"]
        role, ends, signature = value.split(".")
        for forged in (f"operate.{int(ends) + 1}.{signature}", f"read.{ends}.{signature}", "operate", "..", "a.b.c"):
            other = await line.client.get("/api/v1/alerts", headers={"Cookie": f"millwatch={forged}"})
            assert other.status_code == 401, forged
        await browser.delete("/api/v1/session", headers=own)
        assert (await browser.get("/api/v1/alerts")).status_code == 401
        await browser.aclose()
        assert role == "operate"

    play_line(part)


def test_too_many_requests_are_told_when_to_come_back(play_line: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLWATCH_REQUESTS_PER_S", "1")

    async def part(line: "Line") -> None:
        for _ in range(200):  # faster than one a second, however laden the machine
            answer = await line.client.get("/healthz")
            if answer.status_code == 429:
                break
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"] == "application/problem+json"

    play_line(part)


def test_wrong_tokens_are_counted_and_the_right_one_still_opens(play_line: Play) -> None:
    async def part(line: "Line") -> None:
        wrong = {"Authorization": "Bearer wrong"}
        codes = [(await line.client.get("/api/v1/line", headers=wrong)).status_code for _ in range(13)]
        assert codes == [401] * 10 + [429] * 3
        login = await line.client.post("/api/v1/session", json={"token": "w" * 20})
        assert login.status_code == 429
        assert (await line.client.get("/api/v1/line", headers=line.acting)).status_code == 200

    play_line(part)
