"""Every message that reached the cloud, in SQLite, in order of arrival and never deduplicated.

A number is acknowledged over the link after `append` returned, and `append` returns after the commit: WAL with
synchronous=FULL, so neither a kill nor a power cut takes back what was acknowledged. A message that comes twice is kept
twice; its second row says whether it is the same, byte for byte, as the first.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import apsw
import msgspec

from localhub.cloud.database import transaction
from localhub.link import Telemetry

INSERT = "INSERT INTO arrivals VALUES (?,?,?,?,?,?,?,?,?,?)"
FIRST, SAME, DIFFERENT = 0, 1, 2
ADDED_BY_HUB = frozenset(
    {
        "connectionDeviceId",
        "connectionModuleId",
        "edgeMessageId",
        "edgeHubOriginInterface",
        "enqueuedTime",
        "outputName",
    }
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals. `distinct` counts ids, `repeats` later arrivals of a known id, `differing` those not byte-identical."""

    arrivals: int = 0
    distinct: int = 0
    repeats: int = 0
    differing: int = 0
    without_id: int = 0
    bytes: int = 0
    last_arrival: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What came from some devices."""

    arrivals: int = 0
    bytes: int = 0

    def plus(self, size: int) -> Share:
        """With one more message."""
        return Share(self.arrivals + 1, self.bytes + size)


class Arrivals:
    """The table of arrivals of one cloud."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database
        self.counts = self._count()
        self._of = self._count_by_device()
        self._next: int = self._one("SELECT coalesce(max(number), 0) + 1 FROM arrivals")

    def append(self, messages: Iterable[Telemetry], now: datetime) -> list[int]:
        """Keep messages in one transaction, on disk when this returns; gives their arrival numbers."""
        rows = [self._row(number, message, now) for number, message in enumerate(messages, self._next)]
        with transaction(self._database):
            for row, identity, digest in rows:
                row[-1] = FIRST if identity is None else self._repeat(identity, digest)
                self._database.execute(INSERT, row)
        self._next += len(rows)
        self.counts = _added(self.counts, rows, now)
        for row, _, _ in rows:
            self._of[row[2]] = self.of([row[2]]).plus(row[8])
        return [row[0] for row, _, _ in rows]

    def after(
        self,
        number: int,
        limit: int,
        *,
        raw: bool = False,
        devices: Collection[str] = (),
        kind: str | None = None,
    ) -> list[dict[str, Any]]:
        """Arrivals behind a number, oldest first; of some devices or of all, with a property `kind` or any.

        A negative number stands for so many from the end. Bodies of UTF-8 JSON are nested unless `raw`, others base64.
        """
        where, bindings = _where(devices, kind)
        if number < 0:
            back = f"SELECT number FROM arrivals WHERE {where} ORDER BY number DESC LIMIT 1 OFFSET ?"  # noqa: S608  see _where
            number = self._one(back, *bindings, -number) or 0
        query = f"SELECT * FROM arrivals WHERE {where} AND number > ? ORDER BY number LIMIT ?"  # noqa: S608
        cursor = self._database.execute(query, (*bindings, number, limit))
        return [_document(row, raw=raw) for row in cursor]

    def of(self, devices: Iterable[str]) -> Share:
        """What came from some devices and their modules."""
        shares = [self._of.get(device, Share()) for device in devices]
        return Share(sum(share.arrivals for share in shares), sum(share.bytes for share in shares))

    def last_number(self) -> int:
        """The number of the newest arrival, 0 when there is none."""
        return self._next - 1

    def _repeat(self, identity: str, digest: bytes) -> int:
        self._database.execute("INSERT OR IGNORE INTO ids VALUES (?,?)", (identity, digest))
        if self._database.changes():
            return FIRST
        first = self._one("SELECT digest FROM ids WHERE id = ?", identity)
        return SAME if first == digest else DIFFERENT

    @staticmethod
    def _row(number: int, message: Telemetry, now: datetime) -> tuple[list[Any], str | None, bytes]:
        device = message.system.get("connectionDeviceId", "")
        module = message.system.get("connectionModuleId")
        message_id = message.system.get("messageId")
        properties = msgspec.json.encode(message.properties, order="deterministic")
        own = {name: value for name, value in message.system.items() if name not in ADDED_BY_HUB}
        digest = hashlib.blake2b(digest_size=16)
        for part in (message.body, properties, msgspec.json.encode(own, order="deterministic")):
            digest.update(len(part).to_bytes(4, "big") + part)
        system = msgspec.json.encode(message.system, order="deterministic").decode()
        size = len(message.body) + _characters(message.properties) + _characters(own)
        row = [number, _ms(now), device, module, message_id, system, properties.decode(), message.body, size, FIRST]
        identity = None if message_id is None else f"{device}/{module or ''}\n{message_id}"
        return row, identity, digest.digest()

    def _count(self) -> Counts:
        found = {
            repeat: (count, size)
            for repeat, count, size in self._database.execute(
                "SELECT repeat, count(*), sum(size) FROM arrivals GROUP BY repeat"
            )
        }
        distinct = self._one("SELECT count(*) FROM ids")
        last = self._one("SELECT max(at_ms) FROM arrivals")
        repeats = sum(found.get(kind, (0, 0))[0] for kind in (SAME, DIFFERENT))
        arrivals = sum(count for count, _ in found.values())
        return Counts(
            arrivals=arrivals,
            distinct=distinct,
            repeats=repeats,
            differing=found.get(DIFFERENT, (0, 0))[0],
            without_id=arrivals - repeats - distinct,
            bytes=sum(size for _, size in found.values()),
            last_arrival=None if last is None else _text(last),
        )

    def _count_by_device(self) -> dict[str, Share]:
        query = "SELECT device, count(*), sum(size) FROM arrivals GROUP BY device"
        return {device: Share(count, size) for device, count, size in self._database.execute(query)}

    def _one(self, query: str, *bindings: Any) -> Any:
        return self._database.execute(query, bindings).get


def _where(devices: Collection[str], kind: str | None) -> tuple[str, list[str]]:
    """What arrivals are wanted, as SQL, of literals alone, and its bindings."""
    terms, bindings = ["true"], [*devices]
    if devices:
        terms.append(f"device IN ({','.join('?' * len(devices))})")
    if kind is not None:
        terms.append("properties ->> '$.kind' = ?")
        bindings.append(kind)
    return " AND ".join(terms), bindings


def _added(counts: Counts, rows: list[tuple[list[Any], str | None, bytes]], now: datetime) -> Counts:
    without_id = sum(identity is None for _, identity, _ in rows)
    repeats = sum(row[-1] != FIRST for row, _, _ in rows)
    return Counts(
        arrivals=counts.arrivals + len(rows),
        distinct=counts.distinct + len(rows) - without_id - repeats,
        repeats=counts.repeats + repeats,
        differing=counts.differing + sum(row[-1] == DIFFERENT for row, _, _ in rows),
        without_id=counts.without_id + without_id,
        bytes=counts.bytes + sum(row[8] for row, _, _ in rows),
        last_arrival=_text(_ms(now)) if rows else counts.last_arrival,
    )


def _document(row: tuple[Any, ...], *, raw: bool) -> dict[str, Any]:
    number, at_ms, device, module, message_id, system_text, properties, body, size, repeat = row
    system = msgspec.json.decode(system_text)
    document = {
        "number": number,
        "time": _text(at_ms),
        "device": device,
        "module": module,
        "message_id": message_id,
        "system": system,
        "properties": msgspec.json.decode(properties),
        "size": size,
        "repeat": repeat != FIRST,
    }
    return document | ({"body_b64": base64.b64encode(body).decode()} if raw else _body(body, system))


def _body(body: bytes, system: Mapping[str, str]) -> dict[str, Any]:
    if "json" in system.get("contentType", "") and system.get("contentEncoding", "utf-8").lower() == "utf-8":
        try:
            return {"body": msgspec.json.decode(body)}
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # the sender was wrong about it: shown as the bytes it is
    return {"body_b64": base64.b64encode(body).decode()}


def _characters(properties: Mapping[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in properties.items())


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _text(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
