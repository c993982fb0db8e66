"""What can be set for the alarms module: environment, then the twin's desired `settings`."""

import zoneinfo
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from modules.alarms.outputs import KINDS
from modules.alarms.outputs.base import OutputSettings, SwitchSettings
from modules.alarms.rule import Name, Rule
from modules.common.settings import Part, Settings

AnyOutput = Annotated[SerializeAsAny[OutputSettings], BeforeValidator(KINDS.checked)]


class Watchdog(Part):
    """What a switch shows while the gateway is well; it drops when that ends."""

    mode: Literal["toggle", "hold", "count"] = Field(
        "toggle",
        title="Mode",
        description="toggle: on and off in turn; hold: on; count: 1 to 65,535 and round again, where it can",
        examples=["toggle"],
    )
    every_s: float = Field(1.0, ge=0.05, le=60, title="Every", description="seconds between two changes")
    grace_s: float = Field(
        15.0,
        ge=0,
        le=3600,
        title="Grace",
        description="seconds that edgeHub may be away before the gateway is not well",
    )


class AlarmsSettings(Settings):
    """Rules, outputs and watchdogs by name."""

    rules: dict[Name, Rule] = Field(default={}, title="Rules", max_length=64)
    outputs: dict[Name, AnyOutput] = Field(default={}, title="Outputs", max_length=32)
    watchdogs: dict[Name, Watchdog] = Field(
        default={}, title="Watchdogs", description="by the name of their output", max_length=8
    )
    zone: str = Field("UTC", title="Zone", description="of quiet hours: an IANA name", examples=["Europe/Berlin"])
    test_s: float = Field(3.0, ge=0.1, le=8, title="Test", description="seconds that a test switches an output on")

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"no time zone of that name is known here: {zone}") from error
        return zone

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, rule in self.rules.items():
            if unknown := sorted(set(rule.outputs) - set(self.outputs)):
                raise ValueError(f"rules.{name}: there is no output {', '.join(unknown)}")
            if taken := sorted(set(rule.outputs) & set(self.watchdogs)):
                raise ValueError(f"rules.{name}: {', '.join(taken)} is a watchdog's")
        switches = {name: each for name, each in self.outputs.items() if isinstance(each, SwitchSettings)}
        for name, watchdog in self.watchdogs.items():
            if name not in switches:
                raise ValueError(f"watchdogs.{name}: there is no switch of that name among the outputs")
            output = switches[name]
            if not output.drops:
                raise ValueError(f"watchdogs.{name}: outputs.{name} needs a will, or nobody would notice")
            if watchdog.mode == "count" and not output.counts:
                raise ValueError(f"watchdogs.{name}: outputs.{name} cannot show a number")
        return self
