"""A Modbus server: `tcp HOST PORT` or `rtu PATH`. Each line in, [table, address, values], sets registers or bits."""

import asyncio
import json
import sys

from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

FUNCTIONS = {"coil": 5, "discrete": 2, "holding": 16, "input": 4}


def devices() -> list[SimDevice]:
    """Devices 1 and 2: 2000 coils and inputs, holding registers 0 to 2999 without 500, input registers 0 to 99."""
    bits, registers = DataType.BITS, DataType.REGISTERS
    return [
        SimDevice(
            number,
            simdata=(
                [SimData(0, count=125, values=False, datatype=bits)],
                [SimData(0, count=125, values=False, datatype=bits)],
                [
                    SimData(0, count=500, values=0, datatype=registers),
                    SimData(501, count=2499, values=0, datatype=registers),
                ],
                [SimData(0, count=100, values=7, datatype=registers)],
            ),
        )
        for number in (1, 2)
    ]


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(kind: str, where: str, port: str = "") -> None:
    if kind == "tcp":
        server: ModbusTcpServer | ModbusSerialServer = ModbusTcpServer(
            devices(), address=(where, int(port)), ignore_missing_devices=True
        )
    else:
        server = ModbusSerialServer(devices(), port=where, baudrate=19_200, parity="N", ignore_missing_devices=True)
    await server.serve_forever(background=True)
    say("ready")
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        table, address, values = json.loads(line)
        await server.async_setValues(1, FUNCTIONS[table], address, values)
        say("done")


asyncio.run(main(*sys.argv[1:]))
