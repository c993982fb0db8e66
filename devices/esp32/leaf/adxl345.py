"""Analog Devices' ADXL345, a 3-axis accelerometer of 16 g, over I2C (data sheet ADXL345, revision G).

Any other part does as well that has `rate_hz`, `scale` and `burst`.
"""

import struct

_ID, _BW_RATE, _POWER, _FORMAT, _DATA, _FIFO, _FIFO_STATUS = 0x00, 0x2C, 0x2D, 0x31, 0x32, 0x38, 0x39
_DEVICE_ID = 0xE5
_800_HZ, _MEASURE, _STANDBY, _FULL_16_G, _STREAM, _BYPASS = 0x0D, 0x08, 0x00, 0x0B, 0x80, 0x00
_ENTRIES = 0x3F
_SETTLES_MS = 10  # 1.1 ms + 1 / rate from standby (table 1), and some more


class Adxl345:
    """``i2c`` is a machine.I2C at 400 kHz; ``address`` 0x53, or 0x1D with SDO high. OSError when it is not there."""

    rate_hz = 800  # the fastest that I2C at 400 kHz carries (table 7)
    scale = 9.80665 / 256  # m/s2 a count: 3.9 mg in full resolution, whatever the range (table 1)

    def __init__(self, i2c: object, time: object, address: int = 0x53) -> None:
        """Look whether it is the part that it should be."""
        self._i2c, self._time, self._address = i2c, time, address
        self._one = bytearray(1)
        self._six = bytearray(6)
        if self._read(_ID) != _DEVICE_ID:
            raise OSError("no ADXL345 at I2C address 0x%02x: check wiring and address" % address)

    def burst(self, samples: object) -> None:
        """Fill an array('h') with x, y, z, x, ... counts at `rate_hz`; OSError when samples were lost or none come.

        The part measures during a burst only: in standby it takes 0.1 uA (table 1).
        """
        self._write(_BW_RATE, _800_HZ)
        self._write(_FORMAT, _FULL_16_G)
        self._write(_FIFO, _BYPASS)  # empties it
        self._write(_POWER, _MEASURE)
        self._time.sleep_ms(_SETTLES_MS)
        self._write(_FIFO, _STREAM)
        try:
            self._fill(samples)
        finally:
            self._write(_POWER, _STANDBY)

    def _fill(self, samples: object) -> None:
        at, began = 0, self._time.ticks_ms()
        longest = 200 + 2 * 1000 * len(samples) // (3 * self.rate_hz)
        while at < len(samples):
            waiting = self._read(_FIFO_STATUS) & _ENTRIES
            if waiting > 32 - 1:
                raise OSError("the accelerometer's buffer overflowed: samples were lost")
            for _ in range(min(waiting, (len(samples) - at) // 3)):
                self._i2c.readfrom_mem_into(self._address, _DATA, self._six)
                samples[at], samples[at + 1], samples[at + 2] = struct.unpack("<hhh", self._six)
                at += 3
            if self._time.ticks_diff(self._time.ticks_ms(), began) > longest:
                raise OSError("the accelerometer gives no samples")

    def _read(self, register: int) -> int:
        self._i2c.readfrom_mem_into(self._address, register, self._one)
        return self._one[0]

    def _write(self, register: int, value: int) -> None:
        self._one[0] = value
        self._i2c.writeto_mem(self._address, register, self._one)
