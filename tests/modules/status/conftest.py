"""The status module on a free port, with edgeHub played by the test and a view that answers like a module's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import orjson
import pytest
from playwright.async_api import Browser

from devices.line import free_port
from modules.common.edge import Edge
from modules.common.messages import Alert, Message, json_message, rfc3339
from modules.common.view import ViewServer
from modules.status.module import StatusModule
from modules.status.server import StatusServer
from modules.status.settings import StatusSettings
from tests.modules.status.browser import Browse, browsing, chromium

# The smallest JPEG that a browser shows: 8 by 8, grey.
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a"
    "1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080008000801011100ffc4001f0000010501010101"
    "0101000000000000000001020304050607080910ffc400b5100002010303020403050504040000017d01020300041105122131410613516107"
    "227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a"
    "636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7"
    "c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f00fbfe8a28a0ffd9"
)
STARTED = datetime(2026, 1, 2, tzinfo=UTC)


class Line:
    """What a test does to a running status module."""

    def __init__(self, module: StatusModule, transport: Any, view: ViewServer, url: str, token: str) -> None:
        self.module = module
        self.transport = transport
        self.view = view
        self.url = url
        self.token = token
        # A test of TLS brings a client of its own.
        self.client = httpx.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=60)
        self.acting = {"Authorization": f"Bearer {token}"}
        self._seq = 0

    async def get(self, path: str, **query: object) -> Any:
        answer = await self.client.get(path, params={key: str(value) for key, value in query.items()})
        answer.raise_for_status()
        return answer.json()

    def alert(self, message_id: str | None = None, **changed: Any) -> Message:
        facts: dict[str, Any] = {
            "source": "press3/vibration-velocity",
            "rule": "level",
            "severity": "critical",
            "state": "raised",
            "text": "8.1 mm/s is 81 % of the limit",
            "advice": "immediate shutdown required",
            "sampled": datetime.now(UTC) - timedelta(milliseconds=7),
            "value": 0.0081,
            "limit": 0.01,
            "unit": "m/s",
        }
        alert = Alert(**facts | changed)
        self._seq += 1
        message = json_message(
            alert.document(),
            kind="alert",
            source=alert.source,
            seq=self._seq,
            time=alert.sampled,
            message_id=message_id,
            severity=alert.severity,
        )
        self.transport.deliver("alerts", message, **{"$.cdid": "gw1", "$.cmid": "vibration"})
        return message

    def heartbeat(self, module: str = "vibration", **changed: Any) -> None:
        self._seq += 1
        document = {
            "module": module,
            "version": "0.1.0",
            "state": "ok",
            "text": "",
            "started": rfc3339(STARTED),
            "uptime_s": 60.0,
            "connected": True,
            "settings": {"version": 1, "ok": True, "error": ""},
            "counters": {"received": 10.0 * self._seq, "sent": 1.0, "bytes_in": 100.0, "bytes_out": 10.0},
            "process": {"rss_bytes": 50_000_000, "cpu_s": 1.0},
            "view": {"url": self.view.url, "token": self.view.token},
            "facts": {},
        } | changed
        message = json_message(document, kind="health", source=module, seq=self._seq, time=datetime.now(UTC))
        self.transport.deliver("health", message)

    async def settled(self) -> None:
        """Everything delivered has been handled."""
        async with asyncio.timeout(60):
            count = self._seq
            while len(self.transport.acknowledged) < count:  # noqa: ASYNC110 - what is waited for is in the module
                await asyncio.sleep(0.001)


class PlayLine(Protocol):
    """Runs a part beside the module; `beside` is open as long as both."""

    def __call__(
        self,
        part: Callable[[Line], Awaitable[None]],
        *,
        scheme: str = "http",
        beside: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
    ) -> None: ...


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all tests here: the browser lives in it from its first test to the last."""
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="session")
def browser(runner: asyncio.Runner) -> Iterator[Browser]:
    started = chromium()
    yield runner.run(started.__aenter__())
    runner.run(started.__aexit__(None, None, None))


@pytest.fixture
def browse(play_line: PlayLine, browser: Browser) -> Browse:
    return browsing(play_line, browser)


@pytest.fixture
def play_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: Any, runner: asyncio.Runner) -> PlayLine:
    """Run the status module and the test's part beside it; a second call is a restart on the same state."""
    monkeypatch.setenv("MILLWATCH_VIEW_PORT", "0")
    monkeypatch.setenv("MILLWATCH_AGENT_METRICS", '""')

    @asynccontextmanager
    async def running(scheme: str) -> AsyncIterator[Line]:
        port = free_port()
        monkeypatch.setenv("MILLWATCH_STATUS_PORT", str(port))
        transport.acknowledged.clear()
        edge = Edge("status", StatusSettings, state_dir=tmp_path, transport=transport, heartbeat_s=60)
        module = StatusModule(edge)
        StatusServer(module)
        view = ViewServer(lambda: b"", host="127.0.0.1", port=0, name="view")
        view.handlers["picture"] = lambda query: ("image/jpeg", {"line1": JPEG}[query["source"]])
        view.handlers["sensors"] = lambda _query: ("application/json", orjson.dumps({"sensors": SENSORS}))
        view.handlers["sensor"] = lambda query: (
            "application/json",
            orjson.dumps({each["source"]: each for each in SENSORS}[query["source"]]),
        )
        view.handlers |= VIEWS
        await view.start()
        run = asyncio.create_task(edge.run())
        token = (tmp_path / "tokens" / "operate").read_text().strip()
        line = Line(module, transport, view, f"{scheme}://127.0.0.1:{port}", token)
        try:
            async with asyncio.timeout(60):
                while not run.done():
                    try:
                        await line.get("/healthz")
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.01)
            yield line
        finally:
            await line.client.aclose()
            edge.stop()
            await run
            await view.stop()

    def play(
        part: Callable[[Line], Awaitable[None]],
        *,
        scheme: str = "http",
        beside: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
    ) -> None:
        async def both() -> None:
            async with beside(), running(scheme) as line:
                await part(line)

        runner.run(both())

    return play


def _json(document: object) -> Callable[[Any], tuple[str, bytes]]:
    return lambda _query: ("application/json", orjson.dumps(document))


VIEWS: dict[str, Any] = {
    "gate": _json({"threshold": 18.0, "noise": 2.0, "areas": [[1767323045.0, 0.02]], "calibrated": True}),
    "gate.jpg": lambda _query: ("image/jpeg", JPEG),
    "heatmap": lambda _query: ("image/jpeg", JPEG),
    "last": _json({"source": "camera/line1", "label": "crack", "boxes": []}),
    "spectrum": _json({"source": "motor2", "fs_hz": 12000.0, "amplitude": [0.1], "orders": {"BPFO": 105.7}}),
    "models": _json({"models": {"tile": {"version": "1.0.0", "state": "ok"}}}),
    "settings": _json({"version": 3, "ok": True, "error": "", "local": {}, "values": {"limit": 1, "password": "x"}}),
}

SENSORS: list[dict[str, Any]] = [
    {"source": "press3/vibration-velocity", "value": 0.0081, "limit": 0.01, "unit": "m/s", "state": "critical"},
    {"source": "press1/temperature", "value": 48.2, "limit": 130.0, "unit": "Cel", "state": "normal"},
]
