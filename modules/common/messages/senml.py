"""SenML (RFC 8428) as columns: names, values, times and units of a batch of readings.

Decoding is on the path of 100,000 readings/s, so the usual batch (base fields in the first record only, numbers only)
is turned into columns without a Python object per record; anything else RFC 8428 allows takes the careful way.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from modules.common.messages.message import BadMessage

_BASE: Final = ("bn", "bt", "bu", "bv", "bs", "bver")
_PLAIN_KEYS: Final = frozenset({"n", "v", "t", "u"})
_NUMBERS: Final = frozenset({int, float})
# RFC 8428, 4.5.3: smaller times are relative to the time of receipt.
_RELATIVE_BELOW: Final = 1 << 28
_VERSION: Final = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one sensor; `time` in seconds since the epoch, `unit` by SenML name (Cel, Pa, m/s2, ...)."""

    name: str
    value: float
    time: float
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Readings as four columns of one length, in the sender's order. `rejected` counts records left out, by reason."""

    names: list[str]
    values: list[float]
    times: list[float]
    units: list[str | None]
    rejected: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)


def encode(records: Sequence[Reading]) -> bytes:
    """SenML JSON of `records`, with the common name prefix, first time and common unit said once.

    Times are kept to the microsecond. Raises BadMessage('nan') for a value that is not finite.
    """
    if not records:
        return b"[]"
    names = [record.name for record in records]
    prefix = common_prefix(names)
    base_time = records[0].time
    unit = records[0].unit
    shared_unit = unit is not None and all(record.unit == unit for record in records)
    pack: list[dict[str, Any]] = []
    for record in records:
        if not math.isfinite(record.value):
            raise BadMessage("nan", record.name)
        entry: dict[str, Any] = {"n": record.name[len(prefix) :], "v": record.value}
        if offset := round(record.time - base_time, 6):
            entry["t"] = offset
        if not shared_unit and record.unit is not None:
            entry["u"] = record.unit
        pack.append(entry)
    base: dict[str, Any] = {"bn": prefix} if prefix else {}
    base["bt"] = base_time
    if shared_unit:
        base["bu"] = unit
    pack[0] = base | pack[0]
    return orjson.dumps(pack)


def decode(body: bytes, *, now: float | None = None) -> ReadingBatch:
    """The readings of a SenML JSON body, base fields resolved.

    `now` (seconds since the epoch) resolves relative times (RFC 8428, 4.5.3); without it a relative time is rejected.
    A record that cannot be used (no number, not finite, no name or time) is counted in `rejected` and left out.
    Raises BadMessage('not_json' or 'wrong_shape' or 'senml_version') when the body as a whole cannot be used.
    """
    records = _load(body)
    plain = _decode_plain(records)
    return _decode_full(records, now) if plain is None else plain


def _load(body: bytes) -> list[dict[str, Any]]:
    try:
        records = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # A sensor's NaN is not JSON, yet many libraries write it; the other readings of the batch are still good.
        try:
            records = json.loads(body)
        except ValueError:
            raise BadMessage("not_json", str(error)) from error
    if not isinstance(records, list) or set(map(type, records)) - {dict}:
        raise BadMessage("wrong_shape", "a SenML pack is an array of objects")
    return records


def _decode_plain(records: list[dict[str, Any]]) -> ReadingBatch | None:
    """The columns of a usual batch, or None when the batch needs `_decode_full`."""
    if not records or not isinstance(records[0].get("bt", 0.0), (int, float)):
        return None
    first = records[0]
    base_name, base_time, base_unit = first.get("bn", ""), first.get("bt", 0.0), first.get("bu")
    plain_first = {key: value for key, value in first.items() if key not in ("bn", "bt", "bu")}
    records = [plain_first, *records[1:]]
    keys = set().union(*records)
    if not keys <= _PLAIN_KEYS:
        return None
    try:
        names = [record["n"] for record in records]
        values = [record["v"] for record in records]
    except KeyError:
        return None
    if set(map(type, names)) != {str} or not isinstance(base_name, str) or "" in names:
        return None
    if base_name:
        names = [base_name + name for name in names]
    if not set(map(type, values)) <= _NUMBERS or not all(map(math.isfinite, values)):
        return None
    if "t" in keys:
        offsets = [record.get("t", 0) for record in records]
        if not set(map(type, offsets)) <= _NUMBERS or not all(map(math.isfinite, offsets)):
            return None
        times = [base_time + offset for offset in offsets]
    else:
        times = [base_time] * len(names)
    if min(times) < _RELATIVE_BELOW or not math.isfinite(base_time):
        return None
    units = [record.get("u", base_unit) for record in records] if "u" in keys else [base_unit] * len(names)
    if not set(map(type, units)) <= {str, type(None)}:
        return None
    return ReadingBatch(names, values, times, units)


def _decode_full(records: list[dict[str, Any]], now: float | None) -> ReadingBatch:
    """RFC 8428 in full: base fields anywhere, base values, booleans (as 0 and 1), relative times."""
    batch = ReadingBatch([], [], [], [])
    base: dict[str, Any] = {"bn": "", "bt": 0.0, "bu": None, "bv": 0.0}
    for record in records:
        base.update({key: value for key, value in record.items() if key in _BASE})
        if record.get("bver", _VERSION) != _VERSION:
            raise BadMessage("senml_version", str(record["bver"])[:20])
        if any(key.endswith("_") for key in record):  # RFC 8428, 4.4: labels that must be understood
            raise BadMessage("wrong_shape", "a label that must be understood")
        try:
            name, value, time, unit = _resolve(record, base, now)
        except BadMessage as error:
            batch.rejected[error.reason] = batch.rejected.get(error.reason, 0) + 1
            continue
        batch.names.append(name)
        batch.values.append(value)
        batch.times.append(time)
        batch.units.append(unit)
    return batch


def _resolve(record: dict[str, Any], base: dict[str, Any], now: float | None) -> tuple[str, float, float, str | None]:
    value = record.get("v", record.get("vb"))
    if not isinstance(value, (int, float)) or not isinstance(base["bv"], (int, float)):
        raise BadMessage("not_a_number")
    if "v" in record:
        value += base["bv"]
    if not math.isfinite(value):
        raise BadMessage("nan")
    name, prefix = record.get("n", ""), base["bn"]
    if not isinstance(name, str) or not isinstance(prefix, str) or not prefix + name:
        raise BadMessage("no_name")
    offset, base_time = record.get("t", 0), base["bt"]
    if not isinstance(offset, (int, float)) or not isinstance(base_time, (int, float)):
        raise BadMessage("no_time")
    time = float(base_time + offset)
    if time < _RELATIVE_BELOW:
        if now is None:
            raise BadMessage("no_time")
        time += now
    if not math.isfinite(time):
        raise BadMessage("no_time")
    unit = record.get("u", base["bu"])
    if unit is not None and not isinstance(unit, str):
        raise BadMessage("wrong_shape")
    return prefix + name, float(value), time, unit


def common_prefix(names: Sequence[str]) -> str:
    """The longest prefix shared by all names that leaves each with at least one character."""
    if not names:
        return ""
    low, high = min(names), max(names)
    length = 0
    for left, right in zip(low, high, strict=False):
        if left != right:
            break
        length += 1
    return low[: min(length, min(map(len, names)) - 1)]
