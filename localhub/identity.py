"""Who may connect: the gateway's modules with a symmetric key each, the leaf devices with a key or a certificate."""

import base64
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

from localhub.state import write_atomic

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """A device (`module` is None) or a module of a device."""

    device: str
    module: str | None = None

    def __str__(self) -> str:
        return self.device if self.module is None else f"{self.device}/{self.module}"

    def covers(self, other: "Identity") -> bool:
        """Whether a token of this identity is good for `other`: itself, or a module of this device; any case."""
        mine, theirs = self.folded(), other.folded()
        return mine.device == theirs.device and mine.module in (None, theirs.module)

    def folded(self) -> "Identity":
        """The form in which ids are compared: case does not matter (DeviceScopeTokenAuthenticator.cs)."""
        return Identity(self.device.casefold(), None if self.module is None else self.module.casefold())


@dataclass(frozen=True, slots=True)
class ModuleKey:
    """A module's key (base64) and its generation, the path segment of the workload API's sign call."""

    generation: str
    key: str


class Auth(StrEnum):
    """How a device proves its id, by the names of `az iot hub device-identity create --auth-method`."""

    SAS = "sas"
    X509_CA = "x509_ca"
    X509_THUMBPRINT = "x509_thumbprint"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client's proof is checked against: a key (base64), the CA, or the SHA-256 of the only good certificate."""

    auth: Auth = Auth.SAS
    key: str = ""
    thumbprint: str = ""


@dataclass(frozen=True, slots=True)
class Identities:
    """Every identity of one gateway. `devices` holds the gateway itself and the leaf devices."""

    gateway: str
    modules: Mapping[str, ModuleKey] = field(default_factory=dict)
    devices: Mapping[str, Credential] = field(default_factory=dict)

    @classmethod
    def ensure(
        cls,
        path: Path,
        gateway: str,
        modules: Iterable[str],
        devices: Iterable[str] = (),
        certified: Mapping[str, Credential] | None = None,
    ) -> Self:
        """Load the file, add keys for what has none yet, save it when something changed; known keys are kept.

        `devices` have keys, `certified` certificates.
        """
        known = cls.load(path) if path.exists() else cls(gateway)
        new_modules = {name: ModuleKey(new_generation(), new_key()) for name in modules if name not in known.modules}
        keyed = {name for name, credential in known.devices.items() if credential.auth is Auth.SAS}
        new_devices = {name: Credential(key=new_key()) for name in (gateway, *devices) if name not in keyed}
        wanted = cls(
            gateway, {**known.modules, **new_modules}, {**known.devices, **new_devices, **dict(certified or {})}
        )
        if wanted != known:
            wanted.save(path)
        return wanted

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read identities.json."""
        data = json.loads(path.read_bytes())
        modules = {name: ModuleKey(entry["generation"], entry["key"]) for name, entry in data["modules"].items()}
        devices = {
            name: Credential(**{**entry, "auth": Auth(entry["auth"])}) for name, entry in data["devices"].items()
        }
        return cls(data["gateway"], modules, devices)

    def save(self, path: Path) -> None:
        """Write identities.json, readable by its owner only."""
        data = {
            "gateway": self.gateway,
            "modules": {name: {"generation": key.generation, "key": key.key} for name, key in self.modules.items()},
            "devices": {name: asdict(credential) for name, credential in self.devices.items()},
        }
        write_atomic(path, json.dumps(data, indent=2).encode())

    def find(self, identity: Identity) -> tuple[Identity, Credential] | None:
        """The identity as it is written here, and its credential; ids compare without case. None: it is unknown."""
        wanted = identity.folded()
        for name, credential in self.devices.items():
            if wanted.module is None and name.casefold() == wanted.device:
                return Identity(name), credential
        for name, entry in self.modules.items():
            if wanted == Identity(self.gateway, name).folded():
                return Identity(self.gateway, name), Credential(key=entry.key)
        return None

    def connection_string(self, identity: Identity, hub_name: str, address: str) -> str:
        """What a leaf device (LEAF_CONNECTION_STRING) or a debugged module is started with.

        For a device with a certificate it says `x509=true`, as IoT Hub's own does. Raises KeyError when the identity is
        unknown.
        """
        found = self.find(identity)
        if found is None:
            raise KeyError(str(identity))
        known, credential = found
        module = "" if known.module is None else f"ModuleId={known.module};"
        proof = f"SharedAccessKey={credential.key}" if credential.auth is Auth.SAS else "x509=true"
        return f"HostName={hub_name};DeviceId={known.device};{module}{proof};GatewayHostName={address}"


def new_key() -> str:
    """A symmetric key, base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def new_generation() -> str:
    """The generation of a module's identity: 18 digits, never the same again."""
    return str(10**17 + secrets.randbelow(9 * 10**17))
