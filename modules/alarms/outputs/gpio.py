"""A GPIO line: a relay, a horn, a lamp (gpiozero; lgpio on hardware, mock pins where there is none)."""

import contextlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Final, Literal

from gpiozero import GPIOZeroError, OutputDevice
from gpiozero.pins import Factory
from gpiozero.pins.mock import MockFactory
from pydantic import Field

from modules.alarms.outputs.base import OutputError, SwitchSettings

Pins = Literal["auto", "lgpio", "mock"]

_CHIPS: Final = Path("/dev")
_MOCK: Final = "a mock pin: there is no GPIO chip here, nothing moves"


class Gpio(SwitchSettings):
    """A line of the gateway's own GPIO chip."""

    type: Literal["gpio"]
    pin: int = Field(ge=0, le=511, title="Pin", description="number of the line; on a Raspberry Pi the BCM number")
    active_low: bool = Field(False, title="Active low", description="on is low: relay boards often are so")
    chip: int = Field(0, ge=0, le=31, title="Chip", description="0 is /dev/gpiochip0")
    pins: Pins = Field("auto", title="Pins", description="auto: those of the chip, or mock pins where there is none")

    def make(self) -> "GpioSwitch":
        """The switch of this line."""
        return GpioSwitch(self)


class GpioSwitch:
    """One line. It is taken at the first `show`, straight at the level wanted."""

    def __init__(self, settings: Gpio) -> None:
        self._settings = settings
        self._device: OutputDevice | None = None
        self.remark = ""

    async def show(self, level: int) -> None:
        """Drive the line. Raises OutputError."""
        try:
            if self._device is None:
                self._device = self._open(level)
            self._device.value = bool(level)
        except (GPIOZeroError, OSError, ImportError) as error:
            raise OutputError(f"pin {self._settings.pin}: {error or type(error).__name__}") from error
        await self.check(level)

    async def check(self, level: int) -> None:
        """Read the line back. Raises OutputError."""
        if self._device is None or bool(self._device.value) != bool(level):
            raise OutputError(f"pin {self._settings.pin} does not show what it was told")

    async def close(self) -> None:
        """Let the line go: what it then does is the hardware's matter."""
        if self._device is not None:
            self._device.close()
            self._device = None

    def _open(self, level: int) -> OutputDevice:
        settings = self._settings
        mock = settings.pins == "mock" or (
            settings.pins == "auto" and not (_CHIPS / f"gpiochip{settings.chip}").exists()
        )
        self.remark = _MOCK if mock else ""
        return OutputDevice(
            settings.pin,
            active_high=not settings.active_low,
            initial_value=bool(level),
            pin_factory=mock_pins() if mock else _chip(settings.chip),
        )


@cache
def mock_pins() -> Factory:
    """The mock pins of this process."""
    return MockFactory()


@cache
def _chip(number: int) -> Factory:
    """The lines of a chip. Raises ImportError where lgpio is missing, OutputError for what else is wrong."""
    # lgpio makes a pipe in the working folder as it is imported, and an image's is read-only.
    with contextlib.chdir(tempfile.gettempdir()):
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415 - it has wheels for gateways, not every laptop

        try:
            return LGPIOFactory(chip=number)
        except Exception as error:  # its errors have no base that is known here
            raise OutputError(f"/dev/gpiochip{number}: {error}") from error
