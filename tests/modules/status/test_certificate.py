"""TLS with a certificate of the workload API, as localhub's authority issues it; renewed while connections live on."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest

from localhub.certs import Authority
from modules.status.certificate import Certificate, CertificateError, Issuer, renew_in

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line, PlayLine

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Workload:
    """The one call of the workload API, on a unix socket."""

    def __init__(self, path: Path) -> None:
        self.authority = Authority.create(datetime.now(UTC))
        self.path = path
        self.heads: list[bytes] = []
        self.bodies: list[dict[str, str]] = []
        self.answer: tuple[int, bytes] | None = None

    @property
    def trusts(self) -> ssl.SSLContext:
        """A client's context that trusts the gateway's authority."""
        return ssl.create_default_context(cadata=self.authority.pem().decode())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        self.heads.append(head)
        self.bodies.append(orjson.loads(await reader.readexactly(length)))
        status, body = self.answer or (201, self.issued())
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body)
        writer.close()

    def issued(self) -> bytes:
        wanted = self.bodies[-1]
        now = datetime.now(UTC)
        ends = datetime.fromisoformat(wanted["expiration"])
        chain, key = self.authority.server((wanted["commonName"], "status"), now, max(1, (ends - now).days))
        return orjson.dumps(
            {
                "privateKey": {"type": "key", "bytes": key.decode()},
                "certificate": chain.decode(),
                "expiration": wanted["expiration"],
            }
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Issuer]:
        async with await asyncio.start_unix_server(self.serve, self.path):
            yield Issuer(f"unix://{self.path}", "sta tus", "637", "2020-07-07")


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    return Workload(tmp_path / "workload.sock")


async def server(certificate: Certificate) -> tuple[asyncio.Server, int]:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    serving = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=certificate.context)
    return serving, serving.sockets[0].getsockname()[1]


async def serial(port: int, context: ssl.SSLContext) -> object:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="press.local")
    found = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    return found


def test_a_certificate_is_asked_for_and_put_in_anew(workload: Workload, tmp_path: Path) -> None:
    async def part() -> None:
        async with workload.running() as issuer:
            certificate = Certificate(issuer, "press.local")
            await certificate.begin()
            serving, port = await server(certificate)
            first = await serial(port, workload.trusts)
            await certificate._renew()
            assert await serial(port, workload.trusts) != first
            serving.close()
        assert b"POST /modules/sta%20tus/genid/637/certificate/server?api-version=2020-07-07 " in workload.heads[0]
        assert workload.bodies[0]["commonName"] == "press.local"
        assert certificate.ends is not None
        assert timedelta(days=29) < certificate.ends - datetime.now(UTC) <= timedelta(days=30)

    asyncio.run(part())
    assert not list(tmp_path.rglob("*.pem"))


def test_it_is_renewed_in_time_and_tried_again(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.status.certificate._RETRY_S", 0.01)
    monkeypatch.setattr("modules.status.certificate._LEAST_S", 0.01)

    async def part() -> None:
        async with workload.running() as issuer:
            certificate = Certificate(issuer, "press.local")
            await certificate.begin()
            certificate.ends = datetime.now(UTC)
            workload.answer = (500, b"{}")
            staying = asyncio.create_task(certificate.stay())
            async with asyncio.timeout(60):
                while len(workload.heads) < 4:  # noqa: ASYNC110 - what is waited for is in the code under test
                    await asyncio.sleep(0.01)
                workload.answer = None
                while certificate.ends < datetime.now(UTC) + timedelta(days=1):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            staying.cancel()

    asyncio.run(part())


@pytest.mark.parametrize(
    "answer", [(403, b"{}"), (201, b"no json"), (201, b"{}"), (201, b'{"certificate": "x", "privateKey": 1}')]
)
def test_what_is_no_certificate_is_refused(workload: Workload, answer: tuple[int, bytes]) -> None:
    workload.answer = answer

    async def part() -> None:
        async with workload.running() as issuer:
            with pytest.raises(CertificateError):
                await issuer.issue("press.local", NOW)
        with pytest.raises(CertificateError, match="does not answer"):
            await Issuer("unix:///nowhere.sock", "status", "1", "1").issue("press.local", NOW)

    asyncio.run(part())


@pytest.mark.parametrize(("left", "after"), [(30, 20), (3, 2), (0, 0), (-5, 0)])
def test_a_third_of_the_time_is_left_when_it_is_renewed(left: int, after: int) -> None:
    assert renew_in(NOW + timedelta(days=left), NOW) == after * 86_400


def test_the_page_over_tls(play_line: "PlayLine", workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MILLWATCH_TLS": "true",
        "MILLWATCH_TLS_NAME": "127.0.0.1",
        "IOTEDGE_WORKLOADURI": f"unix://{workload.path}",
        "IOTEDGE_MODULEGENERATIONID": "1",
        "IOTEDGE_APIVERSION": "2020-07-07",
    }.items():
        monkeypatch.setenv(name, value)

    async def part(line: "Line") -> None:
        async with httpx.AsyncClient(base_url=line.url, trust_env=False, verify=workload.trusts) as browser:
            login = await browser.post("/api/v1/session", json={"token": line.token})
            assert "secure" in login.headers["set-cookie"].lower()
            ready = (await browser.get("/readyz")).json()["checks"]
            assert ready["tls:certificate"][0]["status"] == "pass"
            foreign = {"Origin": line.url.replace("https", "http")}
            asked = await browser.post("/api/v1/alerts/x/resolve", json={"who": "A"}, headers=foreign)
            assert asked.status_code == 403

    monkeypatch.setenv("IOTEDGE_MODULEID", "status")
    play_line(part, scheme="https", beside=workload.running)
