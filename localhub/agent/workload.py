"""The workload API as modules know it (contract 1.3, 1.4): trust bundle, sign, encrypt, decrypt, certificates.

One app serves every module; each module has a socket of its own. Who calls is told by the kernel (the peer's process
id), and must belong to the module that the path names; one leading `$` of its id does not count. Where the system tells
no peer (http on macOS) whoever reaches the port is believed: the port is on loopback and the state folder is private.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from localhub import sas
from localhub.agent.sealing import SealBrokenError, Sealer
from localhub.control.server import Call, Refused, application, get, post, route
from localhub.identity import ModuleKey

if TYPE_CHECKING:
    from localhub.certs import Authority

API_VERSIONS = ("2018-06-28", "2019-01-30", "2019-10-22", "2019-11-05", "2020-07-07", "2021-12-07", "2022-08-03")
MOST_CERTIFICATE_DAYS = 90

Belongs = Callable[[str, int], bool]
"""(module, process id) -> whether the process is the module's."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What the API answers from."""

    trust_bundle: Path
    key_of: Callable[[str], ModuleKey | None]
    belongs: Belongs
    sealer: Sealer
    authority: Callable[[], Authority]

    def app(self) -> Starlette:
        """The HTTP app."""
        module = "/modules/{module}/genid/{generation}"
        return application(
            get("/trust-bundle", self.bundle),
            post(f"{module}/sign", self.sign),
            post(f"{module}/encrypt", self.encrypt),
            post(f"{module}/decrypt", self.decrypt),
            route("POST", f"{module}/certificate/server", self.server_certificate, status=201),
            route("POST", f"{module}/certificate/identity", self.identity_certificate, status=201),
        )

    async def bundle(self, call: Call) -> object:
        """GET /trust-bundle: no authorisation, as in the real service."""
        _check_version(call)
        try:
            return {"certificate": self.trust_bundle.read_text(encoding="ascii")}
        except FileNotFoundError as error:
            raise Refused(404, "there is no trust bundle; start localhub again to have one made") from error

    async def sign(self, call: Call) -> object:
        """HMAC-SHA256 of `data` with the module's key; keyId and algo are not looked at."""
        _, key = self._caller(call)
        data = _base64(call, "data")
        return {"digest": sas.sign(key.key, data)}

    async def encrypt(self, call: Call) -> object:
        """Seal `plaintext` under the module's key."""
        module, key = self._caller(call)
        sealed = self.sealer.seal(
            module, key.generation, _base64(call, "plaintext"), _base64(call, "initializationVector")
        )
        return {"ciphertext": base64.b64encode(sealed).decode()}

    async def decrypt(self, call: Call) -> object:
        """Open `ciphertext`; 400 when it was not sealed by this module."""
        module, key = self._caller(call)
        sealed, vector = _base64(call, "ciphertext"), _base64(call, "initializationVector")
        try:
            plaintext = self.sealer.open(module, key.generation, sealed, vector)
        except SealBrokenError as error:
            raise Refused(400, str(error)) from error
        return {"plaintext": base64.b64encode(plaintext).decode()}

    async def server_certificate(self, call: Call) -> object:
        """A server certificate for `commonName` and the module's id."""
        module, _ = self._caller(call)
        name = str(call.field("commonName"))
        now = datetime.now(UTC)
        days = _days(call, now)
        return _certificate(*self.authority().server((name, module), now, days), now + timedelta(days=days))

    async def identity_certificate(self, call: Call) -> object:
        """A client certificate for the module's id."""
        module, _ = self._caller(call)
        now = datetime.now(UTC)
        days = _days(call, now)
        return _certificate(*self.authority().leaf(module, now, days), now + timedelta(days=days))

    def _caller(self, call: Call) -> tuple[str, ModuleKey]:
        _check_version(call)
        module = call.path["module"].removeprefix("$")
        key = self.key_of(module)
        if key is None:
            raise Refused(404, f"there is no module {module}")
        if call.peer is not None and not self.belongs(module, call.peer):
            raise Refused(403, f"process {call.peer} does not belong to module {module}")
        return module, key


def _check_version(call: Call) -> None:
    version = call.query.get("api-version")
    if version not in API_VERSIONS:
        raise Refused(400, f"api-version {version!r} is not known; known are {', '.join(API_VERSIONS)}")


def _base64(call: Call, name: str) -> bytes:
    value = call.field(name)
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(400, f"{name} is not base64") from error


def _days(call: Call, now: datetime) -> int:
    text = (call.body or {}).get("expiration")
    if text is None:
        return MOST_CERTIFICATE_DAYS
    try:
        wanted = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Refused(400, f"expiration {text!r} is not a time as 2026-01-02T03:04:05Z") from error
    if wanted.tzinfo is None:
        wanted = wanted.replace(tzinfo=UTC)
    return max(1, min(MOST_CERTIFICATE_DAYS, (wanted - now).days))


def _certificate(chain: bytes, key: bytes, expiration: datetime) -> object:
    return {
        "privateKey": {"type": "key", "bytes": key.decode()},
        "certificate": chain.decode(),
        "expiration": expiration.isoformat(timespec="seconds"),
    }
