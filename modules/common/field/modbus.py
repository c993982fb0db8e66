"""A Modbus line: a device or gateway on the network, or a serial bus (pymodbus)."""

import asyncio
import logging
from collections.abc import Awaitable
from pathlib import Path
from typing import Final, Literal, TypeVar

from pydantic import Field
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from modules.common.settings import Part

# It dumps frames of whatever fails at level error; what failed is told in health, once.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)

Client = AsyncModbusTcpClient | AsyncModbusSerialClient
T = TypeVar("T")

# Modbus Application Protocol V1.1b3, 7.
_REFUSALS: Final = {1: "illegal function", 2: "illegal address", 3: "illegal value", 4: "device failure", 6: "busy"}


def refusal(code: int) -> str:
    """What a device says with an exception code, in words."""
    return _REFUSALS.get(code, f"exception {code}")


async def answer_to(question: Awaitable[T]) -> T:
    """What a client answers; whoever is cancelled meanwhile is cancelled, whenever that comes.

    Before Python 3.12 `asyncio.wait_for`, in which pymodbus waits, drops a cancellation that comes together with the
    answer (CPython issue 86296): what was stopped would go on asking.
    """
    try:
        return await question
    finally:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError


class Line(Part):
    """What both kinds of line have in common."""

    device: int = Field(1, ge=0, le=255, title="Device", description="unit id, where nothing else names one")
    timeout_s: float = Field(1.0, ge=0.05, le=60, title="Time for an answer", description="seconds")
    retries: int = Field(1, ge=0, le=10, title="Tries after the first")

    def client(self) -> Client:
        """A client that is not connected yet, and reconnects when it is told to and not by itself."""
        raise NotImplementedError

    @property
    def where(self) -> str:
        """The line, for a person."""
        raise NotImplementedError


class TcpLine(Line):
    """A device, or a gateway to several, on the network."""

    host: str = Field(title="Host", min_length=1, max_length=253)
    port: int = Field(502, ge=1, le=65_535, title="Port")

    def client(self) -> Client:
        """A client of this host."""
        return AsyncModbusTcpClient(
            self.host, port=self.port, timeout=self.timeout_s, retries=self.retries, reconnect_delay=0
        )

    @property
    def where(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"


class RtuLine(Line):
    """Devices on a serial line."""

    path: Path = Field(title="Line", description="/dev/ttyUSB0, or better a name of /dev/serial/by-id")
    baud: int = Field(19_200, ge=300, le=4_000_000, title="Bits per second")
    parity: Literal["N", "E", "O"] = Field("E", title="Parity", description="even unless the device says otherwise")
    stop_bits: Literal[1, 2] = Field(1, title="Stop bits")

    def client(self) -> Client:
        """A client on the line."""
        return AsyncModbusSerialClient(
            str(self.path),
            baudrate=self.baud,
            parity=self.parity,
            stopbits=self.stop_bits,
            timeout=self.timeout_s,
            retries=self.retries,
            reconnect_delay=0,
        )

    @property
    def where(self) -> str:
        """The line's path."""
        return str(self.path)
