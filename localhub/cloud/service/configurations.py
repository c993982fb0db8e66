"""Automatic and layered deployments: kept, matched with devices by their target condition, and applied by priority.

The deployment of the highest priority among those that a device meets is its base; layered ones of a higher priority
lie on it, the highest last. IoT Hub takes minutes for it; here it happens at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import apsw
import msgspec

from localhub.cloud.service.answers import ServiceError, check_match, etag
from localhub.cloud.service.content import Content, is_layered, merged, modules_content
from localhub.cloud.service.delivery import Delivery
from localhub.cloud.service.query import QueryError, Scope, parse, parse_condition
from localhub.cloud.service.registry import Registry
from localhub.deployed import AGENT, digest
from localhub.identity import Identity

Twins = Callable[[Scope], Iterator[Mapping[str, Any]]]
"""The twins of a scope as documents, one at a time."""

_OF: Final = "SELECT deviceId FROM devices.modules WHERE moduleId = '$edgeAgent' AND configurations.[[{0}]].status = "
_TARGETED: Final = "SELECT deviceId FROM devices WHERE {0}"
_DONE: Final = "properties.desired.$version = properties.reported.lastDesiredVersion"
_CODE: Final = "properties.reported.lastDesiredStatus.code"


class Configurations:
    """The deployments of one hub. Changes are on disk, and applied, when a method returns."""

    def __init__(
        self,
        database: apsw.Connection,
        registry: Registry,
        twins: Twins,
        delivery: Delivery,
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._registry, self._twins = database, registry, twins
        self._delivery, self._clock = delivery, clock

    def get(self, name: str) -> dict[str, Any]:
        """One, with its metrics as they are now; raises ServiceError."""
        row = self._database.execute("SELECT document, version FROM configurations WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise ServiceError(404, "ConfigurationNotFound", f"there is no configuration {name}")
        return self._shown(msgspec.json.decode(row[0]), row[1])

    def all(self, top: int) -> list[dict[str, Any]]:
        """The first `top` of them, by id."""
        query = "SELECT document, version FROM configurations ORDER BY id LIMIT ?"
        rows: list[tuple[Any, ...]] = self._database.execute(query, (top,)).fetchall()
        return [self._shown(msgspec.json.decode(document), version) for document, version in rows]

    def put(self, name: str, document: Mapping[str, Any], if_match: str | None) -> tuple[dict[str, Any], bool]:
        """Create or change one and apply it; whether it is new. Raises ServiceError."""
        row = self._database.execute("SELECT document, version FROM configurations WHERE id = ?", (name,)).fetchone()
        if row is not None:
            check_match(if_match, row[1])
        now = self._clock().isoformat(timespec="seconds").replace("+00:00", "Z")
        before = {} if row is None else msgspec.json.decode(row[0])
        kept = {
            "id": name,
            "schemaVersion": document.get("schemaVersion") or "2.0",
            "labels": document.get("labels") or {},
            "content": before.get("content") or {"modulesContent": modules_content(document.get("content"))},
            "targetCondition": _condition(document.get("targetCondition")),
            "priority": _priority(document.get("priority")),
            "metrics": {"queries": _queries(document.get("metrics"))},
            "createdTimeUtc": before.get("createdTimeUtc") or now,
            "lastUpdatedTimeUtc": now,
        }
        self._database.execute(
            "INSERT INTO configurations VALUES (?, ?, 1) "
            "ON CONFLICT DO UPDATE SET document = excluded.document, version = version + 1",
            (name, msgspec.json.encode(kept).decode()),
        )
        self.apply()
        return self.get(name), row is None

    def delete(self, name: str, if_match: str | None) -> None:
        """Remove one; devices go over to what is next in line, and keep what they have where nothing is."""
        row = self._database.execute("SELECT version FROM configurations WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise ServiceError(404, "ConfigurationNotFound", f"there is no configuration {name}")
        check_match(if_match, int(str(row[0])))
        self._database.execute("DELETE FROM configurations WHERE id = ?", (name,))
        self.apply()

    def apply(self, device: str | None = None) -> None:
        """Bring every IoT Edge device, or the one named, to what its deployments say.

        What they came to already is left alone: a twin that was patched since keeps its patch, as on IoT Hub.
        """
        rows = self._database.execute("SELECT document FROM configurations").fetchall()
        known = [msgspec.json.decode(str(row[0])) for row in rows]
        targets = [(document, parse_condition(document["targetCondition"])) for document in known]
        for twin in self._twins(Scope(devices=None if device is None else frozenset({device}))):
            if twin["capabilities"]["iotEdge"]:
                meant = [document for document, condition in targets if condition(twin) is True]
                self._apply(twin["deviceId"], sorted(meant, key=lambda one: (one["priority"], one["createdTimeUtc"])))

    def _apply(self, device: str, meant: list[dict[str, Any]]) -> None:
        """`meant`: the lowest priority first."""
        agent = self._registry.find(Identity(device, AGENT))
        whole = [document for document in meant if not is_layered(document["content"]["modulesContent"])]
        applied = meant[meant.index(whole[-1]) :] if whole else []
        states = {one["id"]: {"status": "Applied" if one in applied else "Targeted"} for one in meant}
        deployed = agent.deployed
        if applied:
            base, *layers = [_content(one) for one in applied]
            content = merged(base, layers)
            deployed = digest(content)
            if deployed != agent.deployed:
                self._delivery.deploy(device, content)
        if states != agent.configurations or deployed != agent.deployed:
            self._registry.configured(agent.identity, states, deployed)

    def _shown(self, document: dict[str, Any], version: int) -> dict[str, Any]:
        name = document["id"]
        of = _OF.format(name)
        system = {
            "appliedCount": f"{of}'Applied'",
            "targetedCount": _TARGETED.format(_where(document)),
            "reportedSuccessfulCount": f"{of}'Applied' AND {_DONE} AND {_CODE} = 200",
            "reportedFailedCount": f"{of}'Applied' AND {_DONE} AND {_CODE} != 200",
        }
        own = document["metrics"]["queries"]
        return document | {
            "etag": etag(version),
            "systemMetrics": {"queries": system, "results": {key: self._count(text) for key, text in system.items()}},
            "metrics": {"queries": own, "results": {key: self._count(text) for key, text in own.items()}},
        }

    def _count(self, text: str) -> int:
        query = parse(text)
        return sum(query.selects(twin) for twin in self._twins(query.scope))


def _content(document: Mapping[str, Any]) -> Content:
    content: Content = document["content"]["modulesContent"]
    return content


def _where(document: Mapping[str, Any]) -> str:
    condition = document["targetCondition"]
    return "capabilities.iotEdge = true" + ("" if condition.strip() == "*" else f" AND ({condition})")


def _condition(text: object) -> str:
    if not text:
        return "deviceId = ''"  # nothing is targeted until somebody says what
    try:
        parse_condition(str(text))
    except QueryError as error:
        raise ServiceError(400, "InvalidConfigurationTargetCondition", f"target condition: {error}") from error
    return str(text)


def _priority(value: object) -> int:
    try:
        return int(str(value or 0))
    except ValueError:
        raise ServiceError(400, "ArgumentInvalid", f"priority must be a whole number, not {value!r}") from None


def _queries(metrics: object) -> dict[str, str]:
    queries = (metrics or {}).get("queries") if isinstance(metrics, Mapping | None) else None
    found = {str(name): str(text) for name, text in (queries or {}).items()}
    for name, text in found.items():
        try:
            parse(text)
        except QueryError as error:
            raise ServiceError(400, "ArgumentInvalid", f"metric {name}: {error}") from error
    return found
