"""Twins as the cloud keeps them: it owns the desired half, and has a copy of the reported half.

Desired properties start as the manifest's section of the module. When that section changes they are replaced by it
whole; as long as it stays the same, what `twin set` changed is kept. What is applied while localhub runs replaces them
in any case, as `az iot edge set-modules` does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from localhub.cloud.database import transaction
from localhub.deployed import desired_sections
from localhub.identity import Identity
from localhub.link import TwinState
from localhub.twin import Document, Properties, Twin, canonical, check_patch, difference, without_service_names


@dataclass(frozen=True, slots=True)
class DesiredPatch:
    """A change of desired properties on its way to the hub."""

    identity: Identity
    patch: Document
    version: int


class CloudTwins:
    """Every twin. `gateway` is the one that is meant where none is named. Changes are on disk when a method returns."""

    def __init__(self, database: apsw.Connection, gateway: str) -> None:
        self._database = database
        self.gateway = gateway

    def seed(self, modules_content: Mapping[str, Any], device: str | None = None) -> list[DesiredPatch]:
        """Take over a gateway's manifest (its modulesContent); gives the changes, those of new twins included."""
        changes = []
        for module, desired in desired_sections(modules_content).items():
            identity = Identity(device or self.gateway, module)
            seed = canonical(desired).decode()
            known = self._row(identity)
            if known is None or known[0] != seed:
                changes.append(self._replace(identity, desired, seed, None if known is None else known[1]))
        return changes

    def deploy(self, modules_content: Mapping[str, Any], device: str | None = None) -> list[DesiredPatch]:
        """Replace the desired properties of every section, whatever `twin set` changed; gives what is different now."""
        changes = []
        with transaction(self._database):
            for module, desired in desired_sections(modules_content).items():
                identity = Identity(device or self.gateway, module)
                seed = canonical(desired).decode()
                twin = self.get(identity)
                if twin is None or canonical(twin.desired.document).decode() != seed:
                    changes.append(self._replace(identity, desired, seed, twin))
                else:
                    self._update(identity, "seed = ?", seed)
        return changes

    def ensure(self, identity: Identity) -> None:
        """Make an empty twin where there is none."""
        if self.get(identity) is None:
            self._insert(identity, Twin(Properties({}, 1), Properties({}, 1)), "{}")

    def replace_desired(self, identity: Identity, document: Document) -> DesiredPatch:
        """Desired properties whole; raises KeyError for an unknown twin, PatchError for what none may hold."""
        checked = check_patch(without_service_names(document))
        before = self._known(identity).desired
        version = before.version + 1
        self._update(identity, "desired = ?, desired_version = ?", _json(checked), version)
        return DesiredPatch(identity, difference(before.document, checked), version)

    def forget(self, identity: Identity) -> None:
        """Remove a twin; of a device, those of its modules too."""
        device, module = _key(identity)
        self._database.execute("DELETE FROM twins WHERE device = ? AND ? IN ('', module)", (device, module))

    def deployed(self, identity: Identity) -> None:
        """Take desired properties as they are for the manifest's, which has followed them."""
        self._update(identity, "seed = ?", canonical(self._known(identity).desired.document).decode())

    def get(self, identity: Identity) -> Twin | None:
        """A twin, None when there is none of that name."""
        row = self._row(identity)
        return None if row is None else row[1]

    def patch_desired(self, identity: Identity, patch: object) -> DesiredPatch:
        """Merge a patch into desired properties; raises KeyError for an unknown twin, PatchError for a bad patch."""
        if isinstance(patch, Mapping):
            patch = without_service_names(patch)
        checked = check_patch(patch)
        twin = self._known(identity)
        desired = twin.desired.patched(checked)
        self._update(identity, "desired = ?, desired_version = ?", _json(desired.document), desired.version)
        return DesiredPatch(identity, checked, desired.version)

    def patch_reported(self, identity: Identity, patch: Document, version: int) -> None:
        """Merge what the hub reports; the version is the hub's own, which may have taken several patches together."""
        twin = self.get(identity)
        if twin is None:  # a leaf device's, or a module's that the manifest has no section for
            twin = Twin(Properties({}, 1), Properties({}, 1))
            self._insert(identity, twin, "{}")
        reported = twin.reported.patched(patch)
        self._update(identity, "reported = ?, reported_version = ?", _json(reported.document), version)

    def all(self, devices: Iterable[str]) -> list[TwinState]:
        """Every twin of these devices and of their modules, as it travels over the link."""
        query = (
            "SELECT device, module, desired, desired_version, reported, reported_version FROM twins "
            "WHERE device = ? ORDER BY 2"
        )
        rows = (row for device in sorted(devices) for row in self._database.execute(query, (device,)))
        return [
            TwinState(device, module or None, desired.encode(), desired_version, reported.encode(), reported_version)
            for device, module, desired, desired_version, reported, reported_version in rows
        ]

    def _replace(self, identity: Identity, desired: Document, seed: str, known: Twin | None) -> DesiredPatch:
        if known is None:
            self._insert(identity, Twin(Properties(desired, 1), Properties({}, 1)), seed)
            return DesiredPatch(identity, desired, 1)
        before = known.desired
        values = (seed, _json(desired), before.version + 1)
        self._update(identity, "seed = ?, desired = ?, desired_version = ?", *values)
        return DesiredPatch(identity, difference(before.document, desired), before.version + 1)

    def _known(self, identity: Identity) -> Twin:
        twin = self.get(identity)
        if twin is None:
            raise KeyError(str(identity))
        return twin

    def _row(self, identity: Identity) -> tuple[str, Twin] | None:
        query = "SELECT seed, desired, desired_version, reported, reported_version FROM twins"
        row = self._database.execute(f"{query} WHERE device = ? AND module = ?", _key(identity)).fetchone()
        if row is None:
            return None
        seed, desired, desired_version, reported, reported_version = row
        return seed, Twin(
            Properties(msgspec.json.decode(desired), desired_version),
            Properties(msgspec.json.decode(reported), reported_version),
        )

    def _insert(self, identity: Identity, twin: Twin, seed: str) -> None:
        self._database.execute(
            "INSERT INTO twins VALUES (?,?,?,?,?,?,?)",
            (
                *_key(identity),
                seed,
                _json(twin.desired.document),
                twin.desired.version,
                _json(twin.reported.document),
                twin.reported.version,
            ),
        )

    def _update(self, identity: Identity, columns: str, *values: str | int) -> None:
        statement = f"UPDATE twins SET {columns} WHERE device = ? AND module = ?"  # noqa: S608  columns are literals above
        self._database.execute(statement, (*values, *_key(identity)))


def _key(identity: Identity) -> tuple[str, str]:
    return identity.device, identity.module or ""


def _json(document: Document) -> str:
    return msgspec.json.encode(document).decode()
