"""GPIO lines on mock pins, as gpiozero plays them."""

import pytest
from pydantic import ValidationError

from modules.alarms.outputs.gpio import Gpio, mock_pins
from tests.modules.alarms.conftest import Live, Output


def test_a_pin_is_taken_at_the_level_that_is_wanted_and_follows_it(live: Live) -> None:
    async def part(output: Output) -> None:
        running = output({"type": "gpio", "pin": 4, "pins": "mock"})
        running.show(1)
        await running.shown(1)
        assert mock_pins().pin(4).state == 1
        assert [each.state for each in mock_pins().pin(4).states][-1:] == [True]
        running.show(0)
        await running.shown(0)
        assert mock_pins().pin(4).state == 0

    live(part)


def test_active_low_is_the_other_way_round(live: Live) -> None:
    async def part(output: Output) -> None:
        running = output({"type": "gpio", "pin": 5, "pins": "mock", "active_low": True})
        await running.shown(0)
        assert mock_pins().pin(5).state == 1
        running.show(1)
        await running.shown(1)
        assert mock_pins().pin(5).state == 0

    live(part)


def test_where_there_is_no_chip_health_says_that_nothing_moves(live: Live) -> None:
    async def part(output: Output) -> None:
        running = output({"type": "gpio", "pin": 6, "chip": 31})
        await running.shown(0)
        assert "mock pin" in str(running.carrier.facts()["remark"])

    live(part)


def test_a_pin_that_somebody_else_has_is_told_and_taken_when_it_is_free(live: Live) -> None:
    async def part(output: Output) -> None:
        first = output({"type": "gpio", "pin": 7, "pins": "mock"})
        await first.shown(0)
        second = output({"type": "gpio", "pin": 7, "pins": "mock"})
        second.show(1)
        await second.phase("failing")
        assert "pin 7" in second.carrier.state.why
        await first.carrier.stop()
        await second.shown(1)
        assert mock_pins().pin(7).state == 1

    live(part)


def test_a_chip_that_must_be_there_and_is_not_fails(live: Live) -> None:
    async def part(output: Output) -> None:
        running = output({"type": "gpio", "pin": 8, "pins": "lgpio", "chip": 31})
        await running.phase("failing")

    live(part)


def test_a_pin_has_a_number() -> None:
    with pytest.raises(ValidationError):
        Gpio.model_validate({"type": "gpio", "pin": -1})
