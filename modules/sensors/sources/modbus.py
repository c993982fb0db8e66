"""Modbus TCP and RTU: registers and coils, polled in as few requests as the protocol allows (pymodbus)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from modules.common.field.modbus import Client, Line, RtuLine, TcpLine, answer_to, refusal
from modules.sensors.point import Point
from modules.sensors.registers import ModbusPoint, Span, plan
from modules.sensors.sources.base import Feed, SourceError, SourceSettings

_BAD_ADDRESS: Final = (2, 3)
_BEHIND_GATEWAY: Final = (10, 11)  # a gateway that does not reach the device
_DEAF_S: Final = 10.0  # a device of a bus that does not answer holds the others up no more often than this


class _Modbus(SourceSettings, Line):
    """What both kinds of line have in common."""

    point: ClassVar[type[Point]] = ModbusPoint
    answers: ClassVar[bool] = True

    points: tuple[ModbusPoint, ...] = Field((), title="Points", max_length=500)
    gap: int = Field(0, ge=0, le=100, title="Gap", description="unwanted registers read along, to save requests")
    interval_s: Annotated[float, Field(title="Interval", ge=0.01, le=86_400)] = 1.0

    def make(self, points: tuple[Point, ...]) -> "ModbusSource":
        """The source that polls `points`."""
        return ModbusSource(self, [point for point in points if isinstance(point, ModbusPoint)])


class ModbusTcp(_Modbus, TcpLine):
    """A device, or a gateway to several, on the network."""

    type: Literal["modbus-tcp"]


class ModbusRtu(_Modbus, RtuLine):
    """Devices on a serial line."""

    type: Literal["modbus-rtu"]


@dataclass(slots=True)
class _Round:
    """What is read at one interval, and when next."""

    interval_s: float
    spans: list[Span]
    due: float


@dataclass(slots=True)
class _Devices:
    """Which devices of the line do not answer, and until when they are left alone. Monotonic times."""

    deaf: dict[int, float] = field(default_factory=dict)

    def resting(self, device: int, at: float) -> bool:
        return self.deaf.get(device, at) > at


class ModbusSource:
    """Polls one line."""

    def __init__(self, settings: _Modbus, points: Sequence[ModbusPoint]) -> None:
        self._settings = settings
        self._points = points

    async def run(self, feed: Feed) -> None:
        """Connect and poll, each point at its interval. Raises SourceError."""
        if not self._points:
            raise SourceError("no points are set")
        client = self._settings.client()
        try:
            if not await answer_to(client.connect()):
                raise SourceError(f"no connection to {self._settings.where}")
            await self._poll(client, feed)
        except (ModbusException, OSError) as error:
            raise SourceError(f"{self._settings.where}: {error}") from error
        finally:
            client.close()

    async def _poll(self, client: Client, feed: Feed) -> None:
        now = time.monotonic()
        rounds = [_Round(each, spans, now) for each, spans in self._by_interval().items()]
        devices = _Devices()
        while True:
            asked = await feed.asked(max(0.0, min(each.due for each in rounds) - time.monotonic()))
            at = time.monotonic()
            for each in rounds:
                if asked or each.due <= at:
                    each.spans = await self._read_round(client, each.spans, devices, feed)
                    # In step with the clock; what could not be done in time is left out, not caught up with.
                    late = max(0.0, time.monotonic() - each.due)
                    each.due += each.interval_s * (1 + late // each.interval_s)
            if asked:
                feed.answered()

    def _by_interval(self) -> dict[float, list[Span]]:
        groups: dict[float, list[ModbusPoint]] = {}
        for point in self._points:
            groups.setdefault(point.interval_s or self._settings.interval_s, []).append(point)
        return {each: plan(points, self._settings.device, self._settings.gap) for each, points in groups.items()}

    async def _read_round(self, client: Client, spans: list[Span], devices: _Devices, feed: Feed) -> list[Span]:
        """Read all spans; gives those to read next time. Raises SourceError when no device answers."""
        heard, deaf, after = 0, set[int](), list[Span]()
        for span in spans:
            at = time.monotonic()
            if devices.resting(span.device, at):
                feed.refuse("no_answer", len(span.points))
                after.append(span)
                continue
            try:
                found = await self._read(client, span)
            except ModbusException as error:
                if not client.connected:
                    raise SourceError(f"{self._settings.where}: the connection was lost") from error
                found = None
            if found is None or (isinstance(found, ExceptionResponse) and found.exception_code in _BEHIND_GATEWAY):
                deaf.add(span.device)
                devices.deaf[span.device] = at + _DEAF_S
                feed.refuse("no_answer", len(span.points))
                after.append(span)
                continue
            heard += 1
            if devices.deaf.pop(span.device, None) is not None:
                feed.trouble(f"device {span.device}", None)
            feed.connected()
            after += self._understand(span, found, feed)
        if deaf and not heard:
            raise SourceError(f"{self._settings.where}: no answer within {self._settings.timeout_s:g} s")
        for device in deaf:
            feed.trouble(f"device {device}", f"device {device} does not answer")
        return after

    async def _read(self, client: Client, span: Span) -> list[int] | ExceptionResponse:
        """The registers or bits of a span, or how the device refused. Raises ModbusException where it is silent."""
        ask = {
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
        }[span.table]
        found: list[int] = []
        for start, count in span.requests:
            answer: ModbusPDU = await answer_to(ask(start, count=count, device_id=span.device))
            if isinstance(answer, ExceptionResponse):
                return answer
            found += (answer.bits if span.table in ("coil", "discrete") else answer.registers)[:count]
        return found

    def _understand(self, span: Span, found: list[int] | ExceptionResponse, feed: Feed) -> list[Span]:
        """Hand the values over; gives what to read next time: a refused span in two halves, to find the bad point."""
        first = span.points[0].name
        if isinstance(found, ExceptionResponse):
            if len(span.points) > 1 and found.exception_code in _BAD_ADDRESS:
                return list(span.halves())
            feed.refuse("refused", len(span.points))
            feed.trouble(first, f"{first}: device {span.device} says {refusal(found.exception_code)}")
            return [span]
        feed.trouble(first, None)
        if len(found) != span.count:
            feed.refuse("wrong_shape", len(span.points))
            return [span]
        for point in span.points:
            start = point.start - span.start
            feed.take(point, point.value(found[start : start + point.width]))
        return [span]
