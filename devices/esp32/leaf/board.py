"""An ESP32 as the leaf sees it: Wi-Fi, I2C, RTC memory, deep sleep. The only file that needs the board itself."""

import os
import socket
import ssl
import time

import machine
import network

from .adxl345 import Adxl345
from .clock import Clock
from .settings import Settings

_SCL, _SDA = 22, 21
_JOIN_MS = 15_000


class Board:
    """The hardware, as `cycle.Leaf` wants it."""

    time, socket, ssl = time, socket, ssl

    def __init__(self, settings: Settings) -> None:
        """Nothing is switched on yet."""
        self._settings = settings
        self._rtc = machine.RTC()
        self.clock = Clock(time, self._set_clock)
        self._part = None

    def recall(self) -> bytes:
        """What `remember` was given before the sleep; empty after power came back."""
        return self._rtc.memory()

    def remember(self, memory: bytearray) -> None:
        """Keep it over a deep sleep."""
        self._rtc.memory(memory)

    def random(self, count: int) -> bytes:
        """Random bytes."""
        return os.urandom(count)

    def accelerometer(self) -> Adxl345:
        """The sensor; OSError while it is not there."""
        if self._part is None:
            pins = {"scl": machine.Pin(_SCL), "sda": machine.Pin(_SDA)}
            self._part = Adxl345(machine.I2C(0, freq=400_000, **pins), time)
        return self._part

    def online(self) -> None:
        """Join the network; OSError when that takes too long."""
        wlan = network.WLAN(network.STA_IF)
        wlan.active(True)
        if wlan.isconnected():
            return
        wlan.connect(self._settings.ssid, self._settings.password)
        began = time.ticks_ms()
        while not wlan.isconnected():
            if time.ticks_diff(time.ticks_ms(), began) > _JOIN_MS:
                wlan.active(False)
                raise OSError("no Wi-Fi: is %r in reach, is the password right?" % self._settings.ssid)
            time.sleep_ms(50)

    def sleep(self, ms: int) -> None:
        """Deep sleep: the program begins anew after it."""
        network.WLAN(network.STA_IF).active(False)
        machine.deepsleep(ms)

    def _set_clock(self, unix_ms: int) -> None:
        # RTC().datetime takes a date, which has no epoch; the day of the week is worked out by the port.
        from .batch import days_to_date  # noqa: PLC0415  needed once in an hour

        seconds, ms = divmod(unix_ms, 1000)
        days, second = divmod(seconds, 86400)
        year, month, day = days_to_date(days)
        self._rtc.datetime((year, month, day, 0, second // 3600, second // 60 % 60, second % 60, ms * 1000))
