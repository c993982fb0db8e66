"""The repository: a folder of static files that any HTTPS store can serve, in TUF's layout for consistent snapshots.

metadata/N.root.json, N.targets.json, N.snapshot.json, timestamp.json; targets/TASK/NAME/SHA256.VERSION.tar

Nothing that is there is written again but timestamp.json, and that last: whoever reads meanwhile, or copies the folder
up in this order, sees the old state or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from fleet.exits import Exit, FleetError
from fleet.model.archive import Packed
from fleet.model.keys import Keys

DAYS: Final = {"root": 365, "targets": 180, "snapshot": 30, "timestamp": 7}
KEY_OF: Final = {"root": "root", "targets": "targets", "snapshot": "online", "timestamp": "online"}


@dataclass(frozen=True, slots=True)
class Step:
    """One file that is to be written, and what it is for."""

    path: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.path}, {len(self.body):,} bytes"


class Repository:
    """What is in `folder`, and changes to it that are collected until `write`."""

    def __init__(
        self, folder: Path, keys: Keys, *, now: datetime | None = None, days: dict[str, int] | None = None
    ) -> None:
        self.folder, self._keys = folder, keys
        self._now = now or datetime.now(UTC)
        self._days = {**DAYS, **(days or {})}
        self._bodies: list[Step] = []
        self._steps: list[Step] = []
        self._roles: dict[str, Metadata[Any]] = {}

    # What is there.

    def targets(self) -> dict[str, TargetFile]:
        """The signed packages by TASK/NAME/VERSION."""
        signed = cast("Targets", self._role("targets").signed)
        return {path.removesuffix(".tar"): found for path, found in signed.targets.items()}

    def versions(self) -> dict[str, tuple[int, datetime]]:
        """By role: version and when it expires."""
        return {name: (role.signed.version, role.signed.expires) for name, role in self._all()}

    # What may change.

    def create(self) -> None:
        """A repository without packages, and the keys for it. Raises FleetError where there is one already."""
        if (self.folder / "metadata").exists():
            raise FleetError(f"{self.folder} holds a repository already", Exit.CONTENT)
        if len(self._keys.missing()) != len(set(KEY_OF.values())):
            raise FleetError("there are keys already: a repository is begun with new ones", Exit.CONTENT)
        root = Root(expires=self._expires("root"), consistent_snapshot=True)
        for role, key in KEY_OF.items():
            root.add_key(self._signer(key, new=True).public_key, role)
        self._roles = {
            "root": Metadata(root),
            "targets": Metadata(Targets(expires=self._expires("targets"))),
            "snapshot": Metadata(Snapshot(expires=self._expires("snapshot"))),
            "timestamp": Metadata(Timestamp(expires=self._expires("timestamp"))),
        }
        self._sign("root")
        self._sign("targets")
        self._online()

    def rotate(self, key: str) -> None:
        """A new key in place of `key`; the root says so, signed by the old root key and, if that is it, the new one."""
        roles = [role for role, name in KEY_OF.items() if name == key]
        root = self._role("root")
        signed = cast("Root", root.signed)
        old = self._keys.signer("root")
        before = {each for role in roles for each in signed.roles[role].keyids}
        fresh = self._keys.make(key)
        for role in roles:
            for each in before:
                signed.revoke_key(each, role)
            signed.add_key(fresh.public_key, role)
        self._raise("root")
        root.signatures.clear()
        root.sign(old)
        root.sign(self._keys.signer("root"), append=True)
        self._put("root")
        if key == "targets":
            self._raise("targets")
            self._sign("targets")
        if key != "root":
            self._online()

    def renew(self, role: str) -> None:
        """The same again with a later expiry: `root`, `targets`, or `online` (snapshot and timestamp)."""
        if role in ("root", "targets"):
            self._raise(role)
            self._sign(role)
        if role != "root":
            self._online()

    def publish(self, packed: list[Packed]) -> None:
        """Sign further packages. Raises FleetError for a version that was published with other bytes."""
        known = self.targets()
        signed = cast("Targets", self._role("targets").signed)
        for each in packed:
            digest = sha256(each.body).hexdigest()
            if (before := known.get(each.target)) and before.hashes["sha256"] != digest:
                raise FleetError(f"{each.target} was published with other bytes: give it a new version", Exit.CONTENT)
            path = f"{each.target}.tar"
            custom = {"custom": {"title": each.title}}
            signed.targets[path] = TargetFile(len(each.body), {"sha256": digest}, path, custom)
            self._bodies.append(Step(f"targets/{body_path(each.target, digest)}", each.body))
        self._raise("targets")
        self._sign("targets")
        self._online()

    def withdraw(self, target: str) -> None:
        """Sign no more that a package is good. Raises FleetError where it is none of the signed ones."""
        signed = cast("Targets", self._role("targets").signed)
        if signed.targets.pop(f"{target}.tar", None) is None:
            raise FleetError(f"{target} is not among the signed packages", Exit.CONTENT)
        self._raise("targets")
        self._sign("targets")
        self._online()

    def steps(self) -> list[Step]:
        """What `write` will write, in its order."""
        return [*self._bodies, *self._steps]

    def write(self) -> Iterator[Step]:
        """Write what was collected, a file at a time, synced, the timestamp last. Raises OSError."""
        for step in self.steps():
            path = self.folder / step.path
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}.new")
            with fresh.open("wb") as file:
                file.write(step.body)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            yield step

    # Inside.

    def _all(self) -> Iterator[tuple[str, Metadata[Any]]]:
        for name in ("root", "targets", "snapshot", "timestamp"):
            yield name, self._role(name)

    def _role(self, name: str) -> Metadata[Any]:
        if name not in self._roles:
            self._roles[name] = self._read(name)
        return self._roles[name]

    def _read(self, name: str) -> Metadata[Any]:
        metadata = self.folder / "metadata"
        if name == "timestamp":
            path = metadata / "timestamp.json"
        else:
            numbered = {int(each.name.split(".")[0]): each for each in metadata.glob(f"[0-9]*.{name}.json")}
            if not numbered:
                raise FleetError(f"{self.folder} is no repository: fleet model keys create makes one", Exit.CONTENT)
            path = numbered[max(numbered)]
        try:
            return Metadata.from_file(str(path))
        except (OSError, RepositoryError) as error:
            raise FleetError(f"{path}: {error}", Exit.CONTENT) from error

    def _online(self) -> None:
        """Snapshot and timestamp after what has changed."""
        snapshot = cast("Snapshot", self._role("snapshot").signed)
        timestamp = cast("Timestamp", self._role("timestamp").signed)
        if (self.folder / "metadata" / "timestamp.json").exists():
            self._raise("snapshot")
            self._raise("timestamp")
        snapshot.meta["targets.json"] = MetaFile(version=self._role("targets").signed.version)
        self._sign("snapshot")
        timestamp.snapshot_meta = MetaFile(version=snapshot.version)
        self._sign("timestamp")

    def _raise(self, role: str) -> None:
        signed = self._role(role).signed
        signed.version += 1
        signed.expires = self._expires(role)

    def _sign(self, role: str) -> None:
        self._role(role).signatures.clear()
        self._role(role).sign(self._keys.signer(KEY_OF[role]))
        self._put(role)

    def _put(self, role: str) -> None:
        found = self._role(role)
        name = "timestamp.json" if role == "timestamp" else f"{found.signed.version}.{role}.json"
        self._steps.append(Step(f"metadata/{name}", found.to_bytes()))

    def _signer(self, key: str, *, new: bool) -> Any:
        return self._keys.make(key) if new and key in self._keys.missing() else self._keys.signer(key)

    def _expires(self, role: str) -> datetime:
        return (self._now + timedelta(days=self._days[role])).replace(microsecond=0)


def body_path(target: str, digest: str) -> str:
    """Where a package's archive lies below `targets`."""
    folder, _, version = target.rpartition("/")
    return f"{folder}/{digest}.{version}.tar"
