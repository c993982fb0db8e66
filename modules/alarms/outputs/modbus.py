"""Modbus: a coil, or a register for a heartbeat that counts; written, and believed when it reads back (pymodbus)."""

import re
from typing import Final, Literal

from pydantic import Field
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse

from modules.alarms.outputs.base import OutputError, SwitchSettings
from modules.common.field.modbus import Client, Line, RtuLine, TcpLine, answer_to, refusal

_ADDRESS: Final = re.compile(r"^(coil|holding)/(\d{1,5})$")


class _Modbus(SwitchSettings, Line):
    """What both kinds of line have in common."""

    address: str = Field(
        title="Address", description="coil/3, or holding/7: a register, 1 and 0", pattern=_ADDRESS.pattern
    )

    @property
    def counts(self) -> bool:
        """A register can show any number."""
        return self.address.startswith("holding/")

    def make(self) -> "ModbusSwitch":
        """The switch of this coil or register."""
        return ModbusSwitch(self)


class ModbusTcp(_Modbus, TcpLine):
    """A coil of a device on the network."""

    type: Literal["modbus-tcp"]


class ModbusRtu(_Modbus, RtuLine):
    """A coil of a device on a serial line."""

    type: Literal["modbus-rtu"]


class ModbusSwitch:
    """One coil or register. The connection stays open, so that an alarm need not wait for it."""

    remark = ""

    def __init__(self, settings: _Modbus) -> None:
        self._settings = settings
        table, _, number = settings.address.partition("/")
        self._coil, self._number = table == "coil", int(number)
        self._client: Client | None = None

    async def show(self, level: int) -> None:
        """Write, and read back. Raises OutputError."""
        settings = self._settings
        client = await self._connected()
        try:
            if self._coil:
                answer = await answer_to(client.write_coil(self._number, bool(level), device_id=settings.device))
            else:
                answer = await answer_to(client.write_register(self._number, level, device_id=settings.device))
        except ModbusException as error:
            raise OutputError(f"{settings.where}: no answer within {settings.timeout_s:g} s") from error
        if isinstance(answer, ExceptionResponse):
            raise OutputError(f"{settings.where}: {settings.address}: {refusal(answer.exception_code)}")
        await self.check(level)

    async def check(self, level: int) -> None:
        """Read back. Raises OutputError."""
        settings = self._settings
        client = await self._connected()
        read = client.read_coils if self._coil else client.read_holding_registers
        try:
            answer = await answer_to(read(self._number, count=1, device_id=settings.device))
        except ModbusException as error:
            raise OutputError(f"{settings.where}: no answer within {settings.timeout_s:g} s") from error
        if isinstance(answer, ExceptionResponse):
            raise OutputError(f"{settings.where}: {settings.address}: {refusal(answer.exception_code)}")
        found = answer.bits[:1] if self._coil else answer.registers[:1]
        wanted = bool(level) if self._coil else level
        if found != [wanted]:
            raise OutputError(f"{settings.where}: {settings.address} reads {found}, it was told {wanted}")

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _connected(self) -> Client:
        if self._client is not None and self._client.connected:
            return self._client
        await self.close()
        self._client = self._settings.client()
        try:
            if not await answer_to(self._client.connect()):
                raise OutputError(f"no connection to {self._settings.where}")
        except (ModbusException, OSError) as error:
            raise OutputError(f"no connection to {self._settings.where}: {error}") from error
        return self._client
