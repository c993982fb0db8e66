"""A repository as the operator makes it, a real HTTPS server that may be told to misbehave, and the gateway's side."""

import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tuf.api.metadata import Metadata

from fleet.model.archive import pack
from fleet.model.keys import Keys
from fleet.model.repository import Repository
from modules.inference.updates.__main__ import fetch
from modules.inference.updates.job import Job
from modules.inference.updates.store import Store

MakePackage = Callable[..., Path]
TARGET = "picture/made-up/1.0.0"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A CA, and a certificate of it for 127.0.0.1 with its key in one file."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in ("a CA", "a store")]
    now = datetime.now(UTC)

    def signed(number: int, *extensions: x509.ExtensionType) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[number])
            .issuer_name(names[0])
            .public_key(keys[number].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(keys[0], hashes.SHA256())

    ca, served = folder / "ca.pem", folder / "served.pem"
    ca.write_bytes(signed(0, x509.BasicConstraints(ca=True, path_length=0)).public_bytes(Encoding.PEM))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    key = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    served.write_bytes(signed(1, address).public_bytes(Encoding.PEM) + key)
    return ca, served


Fault = Callable[[BaseHTTPRequestHandler, bytes], bool]


@dataclass
class Web:
    """A static HTTPS store; `faults` by the end of a path may answer in its place (True: answered)."""

    folder: Path
    ca: Path
    url: str = ""
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, Range

    def handler(self) -> type[BaseHTTPRequestHandler]:
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = 5

            def do_GET(self) -> None:
                web.asked.append((self.path, self.headers.get("Range", "")))
                path = web.folder / self.path.lstrip("/")
                body = path.read_bytes() if path.is_file() else b""
                fault = next((each for end, each in web.faults.items() if self.path.endswith(end)), None)
                if fault is not None and fault(self, body):
                    return
                if not path.is_file():
                    self.send_error(404)
                    return
                self.answer(body)

            def answer(self, body: bytes) -> None:
                start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                self.wfile.write(body[start:])

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


class Quiet(ThreadingHTTPServer):
    """What clients break off is their business."""

    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def web(tmp_path: Path, issued: tuple[Path, Path]) -> Iterator[Web]:
    found = Web(tmp_path / "repository", issued[0])
    server = Quiet(("127.0.0.1", 0), found.handler())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued[1])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Operator:
    """Whoever holds the keys, or has stolen some."""

    folder: Path
    keys: Keys
    make_package: MakePackage
    card: Callable[..., dict[str, Any]]
    count: int = 0

    @property
    def root(self) -> Path:
        return self.folder / "metadata" / "1.root.json"

    def repository(self, **days: int) -> Repository:
        return Repository(self.folder, self.keys, days=days)

    def done(self, repository: Repository) -> None:
        for _ in repository.write():
            pass

    def package(self, version: str = "1.0.0", **changes: Any) -> Path:
        self.count += 1
        return self.make_package(f"made{self.count}", self.card(version=version, **changes))

    def publish(self, version: str = "1.0.0", **days: int) -> str:
        repository = self.repository(**days)
        packed = pack(self.package(version))
        repository.publish([packed])
        self.done(repository)
        return packed.target

    def file(self, name: str) -> Path:
        """The newest metadata of a role."""
        folder = self.folder / "metadata"
        if name == "timestamp":
            return folder / "timestamp.json"
        return max(folder.glob(f"*.{name}.json"), key=lambda each: int(each.name.split(".")[0]))

    def body(self, target: str = TARGET) -> Path:
        folder, _, version = target.rpartition("/")
        (path,) = (self.folder / "targets" / folder).glob(f"*.{version}.tar")
        return path

    def forge(
        self, role: str, change: Callable[[Any], None], key: str | None = None, *, at: Path | None = None
    ) -> None:
        """Change a role's metadata where it lies and sign it again, with the role's own key or another."""
        metadata = Metadata[Any].from_file(str(self.file(role)))
        change(metadata.signed)
        metadata.signatures.clear()
        metadata.sign(self.keys.signer(key or {"root": "root", "targets": "targets"}.get(role, "online")))
        metadata.to_file(str(at or self.file(role)))


@pytest.fixture
def operator(tmp_path: Path, make_package: MakePackage, picture_card: Callable[..., dict[str, Any]]) -> Operator:
    found = Operator(
        tmp_path / "repository", Keys(tmp_path / "keys", lambda _name: "correct horse"), make_package, picture_card
    )
    repository = found.repository()
    repository.create()
    found.done(repository)
    return found


@dataclass
class Gateway:
    """The fetching side of a gateway."""

    job: Job
    said: list[dict[str, Any]] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def store(self) -> Store:
        return Store(self.job.store)

    def fetch(self, target: str = TARGET, **changes: Any) -> Path:
        job = self.job.model_copy(update={"target": target, **changes})
        return fetch(job, lambda **facts: self.said.append(facts), self.now)

    def partial(self) -> list[Path]:
        folder = self.job.folder / "partial"
        return list(folder.iterdir()) if folder.exists() else []


@pytest.fixture
def gateway(tmp_path: Path, web: Web, operator: Operator) -> Gateway:
    folder = tmp_path / "state"
    content = operator.root.read_bytes()
    (tmp_path / "root.json").write_bytes(content)
    return Gateway(
        Job(
            target=TARGET,
            url=web.url,
            root=tmp_path / "root.json",
            root_sha256=sha256(content).hexdigest(),
            ca=web.ca,
            bytes_per_s=1e9,
            largest=10_000_000,
            folder=folder / "updates",
            store=folder / "packages",
            gap_s=2.0,
        )
    )


@pytest.fixture
def line(
    operator: Operator,
    gateway: Gateway,
    make_package: MakePackage,
    picture_card: Callable[..., dict[str, Any]],
    dark: bytes,
    tmp_path: Path,
) -> tuple[dict[str, Any], Path]:
    """Settings with what ships, and a repository with a good version and one that does not load."""
    operator.publish("1.1.0")
    bad = make_package("bad", picture_card(version="1.2.0", input={"name": "nowhere", "shape": [1, 4, 4]}))
    repository = operator.repository()
    repository.publish([pack(bad)])
    operator.done(repository)
    picture = tmp_path / "dark.jpg"
    picture.write_bytes(dark)
    job = gateway.job
    where = {"url": job.url, "root": str(job.root), "root_sha256": job.root_sha256, "ca": str(job.ca)}
    updates = {**where, "bytes_per_s": 20_000}  # so that some kills fall into the download
    return {"packages": {"tile": {"path": str(make_package("shipped"))}}, "updates": updates}, picture


def versions(folder: Path) -> dict[str, int]:
    """Of each role's metadata in a folder."""
    return {each.name: json.loads(each.read_bytes())["signed"]["version"] for each in folder.glob("*.json")}
