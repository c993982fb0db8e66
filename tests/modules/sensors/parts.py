"""Real servers in processes of their own: told by lines, killed, hung and started again on the same port."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tty
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from paho.mqtt import publish

from devices.line import free_port

SERVERS = Path(__file__).parent / "servers"


class Process:
    """A server of `servers/`, or any program: up when it has said `ready`, or when its port answers."""

    def __init__(self, command: Sequence[str], *, port: tuple[str, int] | None = None) -> None:
        self._command = command
        self._port = port
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @classmethod
    def of(cls, server: str, *words: object) -> Process:
        return cls([sys.executable, str(SERVERS / f"{server}.py"), *map(str, words)])

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._port is None:
            try:
                self._hear("ready")
            except AssertionError:
                self.kill()
                raise
        else:
            while True:
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection(self._port):
                    return
                assert self._process.poll() is None, "it ended"

    def say(self, what: object) -> None:
        """Send one line and wait for its answer."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        self._hear("done")

    def hang(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        assert self._process is not None
        self._signal(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def _hear(self, wanted: str) -> None:
        assert self._process is not None and self._process.stdout is not None
        while (line := self._process.stdout.readline().strip()) != wanted:
            assert line or self._process.poll() is None, f"{self._command} ended"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            os.kill(self._process.pid, number)


class Broker:
    """Mosquitto that asks for a password."""

    def __init__(self, folder: Path, pair: Pair | None = None) -> None:
        self.port = free_port()
        self.secret = folder / "secret"
        self.secret.write_text("press:guess\n")
        (folder / "users").write_text("press:guess\n")
        subprocess.run(["mosquitto_passwd", "-U", str(folder / "users")], check=True, stderr=subprocess.DEVNULL)
        config = folder / "mosquitto.conf"
        config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous false\n"
            f"password_file {folder}/users\nset_tcp_nodelay true\n"
            + (f"cafile {pair.cert}\ncertfile {pair.cert}\nkeyfile {pair.key}\n" if pair else "")
        )
        self.process = Process(["mosquitto", "-c", str(config)], port=("127.0.0.1", self.port))

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "type": "mqtt",
            "host": "127.0.0.1",
            "port": self.port,
            "credentials_file": str(self.secret),
        } | more

    def publish(self, *messages: tuple[str, bytes | str], retain: bool = False) -> None:
        publish.multiple(
            [{"topic": topic, "payload": payload, "qos": 1, "retain": retain} for topic, payload in messages],
            hostname="127.0.0.1",
            port=self.port,
            auth={"username": "press", "password": "guess"},
        )


@dataclass(frozen=True)
class Pair:
    """A certificate that stands for itself, and its key: as PEM, the certificate also as DER."""

    cert: Path
    key: Path
    der: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> Pair:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(f"urn:{name}"),
            x509.IPAddress(ip_address("127.0.0.1")),
        ]
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pair = cls(folder / f"{name}.pem", folder / f"{name}-key.pem", folder / f"{name}.der")
        pair.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        pair.der.write_bytes(made.public_bytes(serialization.Encoding.DER))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair


class Opc:
    """An OPC UA server of one press."""

    def __init__(self, *secrets: object) -> None:
        self.url = f"opc.tcp://127.0.0.1:{free_port()}"
        self.process = Process.of("opcua", self.url, *secrets)

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"type": "opcua", "url": self.url, "interval_s": 0.05, "check_s": 0.5} | more

    def set(self, name: str, value: Any, *, kind: str = "Double", status: str = "Good", age: float = 0) -> None:
        self.process.say([name, value, kind, status, age])


class CoapDevice:
    """A CoAP server."""

    def __init__(self) -> None:
        port = free_port()
        self.uri = f"coap://127.0.0.1:{port}"
        self.process = Process.of("coap", "127.0.0.1", port)

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"type": "coap", "uri": self.uri} | more

    def set(self, path: str, text: str) -> None:
        self.process.say([path, text])


class Wire:
    """A serial line: what is written at `end` comes out at the device `path`, which stays the same when unplugged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = -1
        self.plug()

    def plug(self) -> None:
        self.end, device = os.openpty()
        tty.setraw(self.end)
        tty.setraw(device)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(device))
        os.close(device)

    def unplug(self) -> None:
        os.close(self.end)
        self.end = -1

    def write(self, data: bytes) -> None:
        os.write(self.end, data)

    def close(self) -> None:
        if self.end >= 0:
            self.unplug()


@contextlib.contextmanager
def cable(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Two serial devices joined to each other."""
    ends = folder / "a", folder / "b"
    joined = subprocess.Popen(
        [sys.executable, str(SERVERS / "cable.py"), *map(str, ends)], stdout=subprocess.PIPE, text=True
    )
    assert joined.stdout is not None
    joined.stdout.readline()
    try:
        yield ends
    finally:
        joined.kill()
        joined.wait()
        joined.stdout.close()
