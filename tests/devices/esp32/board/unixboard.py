"""A board for the tests, on MicroPython's unix port: RTC memory is a file, the ADXL345 simulated by its registers."""

import errno
import math
import os
import socket
import ssl
import struct
import time
from array import array

from leaf.adxl345 import Adxl345
from leaf.clock import Clock

FAULTS = ("", "missing", "overflow", "silent")


class FakeI2C:
    """An ADXL345's registers and FIFO (data sheet): a 50 Hz sine of ``amplitude`` m/s2 on x, gravity on z.

    Time passes as the program reads: each look at FIFO_STATUS finds ``steps`` more samples. It says what is wrong with
    how it is driven: samples read in standby, or at another rate or range.
    """

    def __init__(self, amplitude: float = 3.0, fault: str = "", steps: int = 7) -> None:
        self._registers = {0x00: 0xE5, 0x2C: 0x0A, 0x2D: 0, 0x31: 0, 0x38: 0}
        self._amplitude, self._fault, self._steps = amplitude, fault, steps
        self._taken = self._waiting = 0

    def writeto_mem(self, address: int, register: int, data: bytes) -> None:
        assert address == 0x53
        self._registers[register] = data[0]
        if register == 0x38 and data[0] >> 6 == 0:
            self._waiting = 0

    def readfrom_mem_into(self, address: int, register: int, into: bytearray) -> None:
        assert address == 0x53
        if self._fault == "missing":
            raise OSError(errno.ENODEV)
        if register == 0x39:
            measuring = self._registers[0x2D] & 8 and self._registers[0x38] >> 6 == 2
            if measuring and self._fault != "silent":
                self._waiting = min(32, self._waiting + (40 if self._fault == "overflow" else self._steps))
            into[0] = self._waiting
        elif register == 0x32:
            assert len(into) == 6 and self._waiting > 0, "read where nothing waits"
            assert self._registers[0x2C] == 0x0D and self._registers[0x31] & 0x0B == 0x0B
            self._waiting -= 1
            value = self._amplitude * math.sin(2 * math.pi * 50 * self._taken / 800)
            self._taken += 1
            struct.pack_into("<hhh", into, 0, round(value / 9.80665 * 256), 3, 256)
        else:
            into[0] = self._registers[register]


class Table:
    """A sensor that costs next to nothing, for a thousand bursts: the same samples each time."""

    rate_hz, scale = Adxl345.rate_hz, Adxl345.scale

    def __init__(self, count: int) -> None:
        self._samples = array("h", (round(80 * math.sin(number)) for number in range(3 * count)))

    def burst(self, samples: array) -> None:
        samples[:] = self._samples


class UnsetTime:
    """The port's time as an ESP32 has it after power came: it counts from 2000, and began there when `born` was."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            with open(path) as file:
                self._offset_ns = int(file.read())
        except OSError:
            self._set(-time.time_ns())

    def gmtime(self, _seconds: int) -> tuple:
        return (2000, 1, 1, 0, 0, 0, 5, 1)

    def time_ns(self) -> int:
        return time.time_ns() + self._offset_ns

    def set_rtc(self, unix_ms: int) -> None:
        self._set((unix_ms - 946_684_800_000) * 1_000_000 - time.time_ns())

    def ticks_ms(self) -> int:
        return time.ticks_ms()

    def ticks_diff(self, one: int, other: int) -> int:
        return time.ticks_diff(one, other)

    def sleep_ms(self, _ms: int) -> None:
        pass

    def _set(self, offset_ns: int) -> None:
        self._offset_ns = offset_ns
        with open(self._path, "w") as file:
            file.write(str(offset_ns))


class UnixBoard:
    """``folder`` holds what survives a sleep, ``fault`` is one of FAULTS, ``table`` how many samples a Table has."""

    socket, ssl = socket, ssl

    def __init__(self, folder: str, fault: str = "", *, unset: bool = False, table: int = 0) -> None:
        self._memory = folder + "/rtc"
        self._table = Table(table) if table else None
        self.time = UnsetTime(folder + "/clock") if unset else time
        self.clock = Clock(self.time, self.time.set_rtc if unset else self._no_set)
        self._fault = fault

    def recall(self) -> bytes:
        try:
            with open(self._memory, "rb") as file:
                return file.read()
        except OSError:
            return b""

    def remember(self, memory: bytearray) -> None:
        with open(self._memory, "wb") as file:
            file.write(memory)

    def random(self, count: int) -> bytes:
        return os.urandom(count)

    def accelerometer(self) -> Adxl345 | Table:
        return self._table or Adxl345(FakeI2C(fault=self._fault), self.time)

    def online(self) -> None:
        pass

    def _no_set(self, _unix_ms: int) -> None:
        pass
