"""The identity registry: devices and their modules, as the service API shows and changes them.

The gateways that run here, their modules and leaf devices stand in their identities.json, by which the hubs let clients
in; this registry shows them and adds to them. Other IoT Edge devices do not run here: their twins are kept, queried and
deployed to all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import apsw
import msgspec

from localhub.cloud.database import transaction
from localhub.cloud.gateways import Gateways
from localhub.cloud.service.answers import ServiceError, check_match, etag
from localhub.cloud.service.query import Scope
from localhub.cloud.twins import CloudTwins
from localhub.identity import Auth, Credential, Identities, Identity, ModuleKey, new_generation, new_key

SYSTEM: Final = ("$edgeAgent", "$edgeHub")
NEVER: Final = "0001-01-01T00:00:00Z"
_SELECT: Final = (
    "SELECT device, module, edge, facts, version, tags, tags_version, configurations, deployed FROM identities"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One identity. `facts` is what its document holds besides what is the same for all."""

    identity: Identity
    edge: bool
    facts: Mapping[str, Any]
    version: int
    tags: Mapping[str, Any]
    tags_version: int
    configurations: Mapping[str, Any]
    deployed: str  # digest of the content that they came to


class Registry:
    """Identities in the cloud's database. Changes are on disk when a method returns."""

    def __init__(self, database: apsw.Connection, twins: CloudTwins, gateways: Gateways) -> None:
        self._database, self._twins, self._gateways = database, twins, gateways

    def sync(self, gateway: str | None = None) -> None:
        """Take in what identities.json has, of one gateway or of each: itself, its modules, its leaf devices."""
        for state in self._gateways:
            if gateway in (None, state.gateway) and state.identities.exists():
                self._sync(Identities.load(state.identities))

    def _sync(self, known: Identities) -> None:
        with transaction(self._database):
            for device, credential in known.devices.items():
                edge = device == known.gateway
                self._keep(Identity(device), _facts(_authentication(credential.auth, credential.key)), edge=edge)
                self._twins.ensure(Identity(device))
            for module in SYSTEM:
                self._keep(Identity(known.gateway, module), _facts(_authentication(Auth.SAS, ""), managed=True))
                self._twins.ensure(Identity(known.gateway, module))
            for module, own in known.modules.items():
                facts = _facts(_authentication(Auth.SAS, own.key), managed=True, generation=own.generation)
                self._keep(Identity(known.gateway, module), facts)

    def find(self, identity: Identity) -> Entry:
        """One entry; raises ServiceError."""
        query = f"{_SELECT} WHERE device = ? AND module = ?"
        row = self._database.execute(query, _key(identity)).fetchone()
        if row is None:
            code = "DeviceNotFound" if identity.module is None else "ModuleNotFound"
            raise ServiceError(404, code, f"there is no {identity}")
        return _entry(row)

    def modules_of(self, device: str) -> list[Entry]:
        """A device's modules; raises ServiceError for an unknown device."""
        self.find(Identity(device))
        return list(self.walk(("", ""), Scope(modules=True, devices=frozenset({device}))))

    def walk(self, after: tuple[str, str], scope: Scope) -> Iterator[Entry]:
        """Devices, or modules, behind a key and in order, at least those of the scope; a row at a time."""
        conditions = ["module <> ''" if scope.modules else "module = ''", "(device, module) > (?, ?)"]
        bindings = [*after]
        for column, names in (("device", scope.devices), ("module", scope.names)):
            if names is not None:
                conditions.append(f"{column} IN ({','.join('?' * len(names))})")
                bindings += names
        query = f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY 1, 2"
        for row in self._database.cursor().execute(query, bindings):
            yield _entry(row)

    def put(self, identity: Identity, document: Mapping[str, Any], if_match: str | None) -> tuple[Entry, bool]:
        """Create or change an identity; whether it is new. Keys that are not given are made. Raises ServiceError."""
        try:
            known: Entry | None = self.find(identity)
        except ServiceError:
            known = None
        if identity.module is not None:
            self.find(Identity(identity.device))
        if known is not None:
            check_match(if_match, known.version)
        edge = bool((document.get("capabilities") or {}).get("iotEdge"))
        if known is not None and known.edge != edge and self._gateways.get(identity.device):
            raise ServiceError(400, "ArgumentInvalid", f"{identity} is a gateway that runs here")
        before = known.facts if known else {}
        authentication = _given(document.get("authentication") or {}, before.get("authentication") or {})
        facts = {
            "generationId": before.get("generationId") or new_generation(),
            "status": document.get("status") or "enabled",
            "statusReason": document.get("statusReason"),
            "authentication": authentication,
        }
        if identity.module is not None:
            facts["managedBy"] = document.get("managedBy")
        self._keep(identity, facts, edge=edge)
        self._twins.ensure(identity)
        if edge and known is None:
            for module in SYSTEM:
                system = Identity(identity.device, module)
                self._keep(system, _facts(_authentication(Auth.SAS, ""), managed=True))
                self._twins.ensure(system)
        self._let_in(identity, authentication, edge=edge)
        return self.find(identity), known is None

    def manage(self, device: str, modules: Iterable[str]) -> None:
        """Make identities for modules that a deployment brings to a device, as IoT Hub does; known ones are kept."""
        with transaction(self._database):
            for module in modules:
                self._database.execute(
                    "INSERT OR IGNORE INTO identities VALUES (?, ?, 0, ?, 1, '{}', 1, '{}', '')",
                    (device, module, _json(_facts(_authentication(Auth.SAS, new_key()), managed=True))),
                )

    def delete(self, identity: Identity, if_match: str | None) -> None:
        """Remove an identity, with its modules and their twins; raises ServiceError."""
        entry = self.find(identity)
        check_match(if_match, entry.version)
        if self._gateways.get(identity.device) and identity.module in (None, *SYSTEM):
            raise ServiceError(400, "ArgumentInvalid", f"{identity} is a gateway that runs here")
        home = self._gateways.home(identity.device)
        device, module = _key(identity)
        self._database.execute("DELETE FROM identities WHERE device = ? AND ? IN ('', module)", (device, module))
        self._twins.forget(identity)
        if home is None:
            return
        known = Identities.load(home.identities)
        modules, devices = dict(known.modules), dict(known.devices)
        if identity.module is not None and device == known.gateway:
            modules.pop(identity.module, None)
        elif identity.module is None:
            devices.pop(device, None)
        Identities(known.gateway, modules, devices).save(home.identities)

    def patch_tags(self, device: str, tags: Mapping[str, Any]) -> None:
        """Replace a device's tags."""
        self._database.execute(
            "UPDATE identities SET tags = ?, tags_version = tags_version + 1 WHERE device = ? AND module = ''",
            (_json(tags), device),
        )

    def configured(self, identity: Identity, configurations: Mapping[str, Any], deployed: str) -> None:
        """Note which automatic deployments stand on an $edgeAgent, and the digest of what they came to."""
        self._database.execute(
            "UPDATE identities SET configurations = ?, deployed = ? WHERE device = ? AND module = ?",
            (_json(configurations), deployed, *_key(identity)),
        )

    def count(self) -> tuple[int, int]:
        """How many devices there are, and how many of them are disabled."""
        query = "SELECT count(*), sum(json_extract(facts, '$.status') = 'disabled') FROM identities WHERE module = ''"
        row: Any = self._database.execute(query).fetchone()
        return int(row[0]), int(row[1] or 0)

    def _keep(self, identity: Identity, facts: Mapping[str, Any], *, edge: bool = False) -> None:
        self._database.execute(
            "INSERT INTO identities VALUES (?, ?, ?, ?, 1, '{}', 1, '{}', '') ON CONFLICT DO UPDATE SET "
            "edge = excluded.edge, facts = excluded.facts, version = version + (facts <> excluded.facts)",
            (*_key(identity), edge, _json(facts)),
        )

    def _let_in(self, identity: Identity, authentication: Mapping[str, Any], *, edge: bool) -> None:
        """Have a gateway's hub let a device or a module in: it reads identities.json again when it must."""
        home = self._gateways.home(identity.device)
        if home is None:
            return
        known = Identities.load(home.identities)
        key = str(authentication["symmetricKey"]["primaryKey"] or "")
        modules, devices = dict(known.modules), dict(known.devices)
        if identity.device == known.gateway and identity.module not in (None, *SYSTEM):
            assert identity.module is not None
            generation = modules[identity.module].generation if identity.module in modules else new_generation()
            modules[identity.module] = ModuleKey(generation, key)
        elif identity.module is None and not edge and authentication["type"] == Auth.SAS:
            devices[identity.device] = Credential(key=key)
        Identities(known.gateway, modules, devices).save(home.identities)


def identity_document(entry: Entry, *, connected: bool) -> dict[str, Any]:
    """A device or module as GET /devices answers it."""
    identity = entry.identity
    named: dict[str, Any] = {"deviceId": identity.device}
    if identity.module is not None:
        named["moduleId"] = identity.module
    else:
        named |= {"capabilities": {"iotEdge": entry.edge}, "parentScopes": []}
    return named | {
        **entry.facts,
        "etag": etag(entry.version),
        "connectionState": "Connected" if connected else "Disconnected",
        "connectionStateUpdatedTime": NEVER,
        "statusUpdatedTime": NEVER,
        "lastActivityTime": NEVER,
        "cloudToDeviceMessageCount": 0,
    }


def _facts(authentication: Mapping[str, Any], *, managed: bool = False, generation: str = "1") -> dict[str, Any]:
    facts = {"generationId": generation, "status": "enabled", "statusReason": None, "authentication": authentication}
    return facts | ({"managedBy": "IotEdge"} if managed else {})


def _authentication(auth: Auth, key: str) -> dict[str, Any]:
    names = {Auth.SAS: "sas", Auth.X509_CA: "certificateAuthority", Auth.X509_THUMBPRINT: "selfSigned"}
    return {
        "symmetricKey": {"primaryKey": key or None, "secondaryKey": key or None},
        "x509Thumbprint": {"primaryThumbprint": None, "secondaryThumbprint": None},
        "type": names[auth],
    }


def _given(document: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """How a client asked for it; keys that it left out are kept, or made."""
    keys = document.get("symmetricKey") or {}
    known = before.get("symmetricKey") or {}
    prints = document.get("x509Thumbprint") or {}
    names = ("primaryKey", "secondaryKey")
    sas = (document.get("type") or "sas") == "sas"
    return {
        "symmetricKey": {name: (keys.get(name) or known.get(name) or new_key()) if sas else None for name in names},
        "x509Thumbprint": {name: prints.get(name) for name in ("primaryThumbprint", "secondaryThumbprint")},
        "type": document.get("type") or "sas",
    }


def _entry(row: tuple[Any, ...]) -> Entry:
    device, module, edge, *texts = row
    facts, version, tags, tags_version, configurations, deployed = texts
    return Entry(
        Identity(device, module or None),
        bool(edge),
        msgspec.json.decode(facts),
        version,
        msgspec.json.decode(tags),
        tags_version,
        msgspec.json.decode(configurations),
        deployed,
    )


def _key(identity: Identity) -> tuple[str, str]:
    return identity.device, identity.module or ""


def _json(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document, order="deterministic").decode()
