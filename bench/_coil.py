"""``python bench/_coil.py PORT FILE``: a Modbus device; each write of a coil is a line `time value` of FILE."""

import asyncio
import logging
import sys
import time
from pathlib import Path

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


async def main(port: int, path: Path) -> None:
    """Serve until killed; says `ready` when it listens."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)

    async def note(
        _function: int, _start: int, _address: int, _count: int, _now: list[int], wanted: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        at = time.time()
        if wanted is not None:
            with path.open("a") as file:
                file.write(f"{at} {int(wanted[0])}\n")
        return None

    bits, registers = DataType.BITS, DataType.REGISTERS
    blocks = (
        [SimData(0, count=8, values=False, datatype=bits)],
        [SimData(0, count=8, values=False, datatype=bits)],
        [SimData(0, count=8, values=0, datatype=registers)],
        [SimData(0, count=8, values=0, datatype=registers)],
    )
    server = ModbusTcpServer(SimDevice(1, simdata=blocks, action=note), address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
