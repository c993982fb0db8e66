"""Two calls of IoT Edge's workload API, encrypt and decrypt: they wrap a key with the module's own identity."""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote, urlsplit

_TIMEOUT_S = 30.0


class WorkloadUnreachableError(Exception):
    """The workload API does not answer: wait and try again."""


class WorkloadRefusedError(Exception):
    """The workload API answered and would not do it; `status` is its HTTP status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Where the workload API is (`unix:///path` or `http://host:port/`), and as which module it is asked."""

    uri: str
    module: str
    generation: str
    api_version: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """From the variables that edgeAgent injects. Raises KeyError naming the one that is missing."""
        return cls(
            uri=environment["IOTEDGE_WORKLOADURI"],
            module=environment["IOTEDGE_MODULEID"],
            generation=environment["IOTEDGE_MODULEGENERATIONID"],
            api_version=environment["IOTEDGE_APIVERSION"],
        )

    def encrypt(self, plaintext: bytes, iv: bytes) -> bytes:
        """Ciphertext that only this module's identity on this gateway can have decrypted. Blocks."""
        return self._call("encrypt", "ciphertext", {"plaintext": _text(plaintext), "initializationVector": _text(iv)})

    def decrypt(self, ciphertext: bytes, iv: bytes) -> bytes:
        """What `encrypt` was given. Blocks. Raises WorkloadRefusedError when the key store is another one."""
        return self._call("decrypt", "plaintext", {"ciphertext": _text(ciphertext), "initializationVector": _text(iv)})

    def _call(self, verb: str, wanted: str, body: Mapping[str, str]) -> bytes:
        path = (
            f"/modules/{quote(self.module, safe='')}/genid/{quote(self.generation, safe='')}/{verb}"
            f"?api-version={quote(self.api_version, safe='')}"
        )
        connection = self._connection()
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            status, raw = reply.status, reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise WorkloadUnreachableError(f"{self.uri}: {error}") from error
        finally:
            connection.close()
        if status != http.HTTPStatus.OK:
            raise WorkloadRefusedError(f"{verb}: {status} {raw[:200].decode(errors='replace')}", status)
        try:
            return base64.b64decode(json.loads(raw)[wanted], validate=True)
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise WorkloadRefusedError(f"{verb}: an answer that cannot be read ({error})", status) from error

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.uri)
        if parts.scheme == "unix":
            return _UnixConnection(unquote(parts.path))
        if parts.hostname is None:
            raise WorkloadUnreachableError(f"{self.uri} is neither unix:///path nor http://host:port")
        return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_TIMEOUT_S)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
