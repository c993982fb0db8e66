"""The examples of docs/guides/sensors.md are settings as the module takes them."""

import json
import re
from pathlib import Path

from modules.common.settings import validate
from modules.sensors.lists import parse
from modules.sensors.registers import ModbusPoint
from modules.sensors.settings import SensorsSettings
from modules.sensors.sources import KINDS
from modules.sensors.sources.base import SourceSettings

GUIDE = (Path(__file__).parents[3] / "docs/guides/sensors.md").read_text()


def examples(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def test_every_example_is_taken_and_every_protocol_has_one() -> None:
    shown = set()
    for text in examples("json"):
        settings = validate(SensorsSettings, json.loads(text))
        for source in settings.sources.values():
            source.make(source.points)
            shown.add(source.type)
    assert shown == set(KINDS.places)


def test_the_list_is_one() -> None:
    (text,) = examples("csv")
    assert [point.name for point in parse(text, ModbusPoint)] == ["hall/0001", "hall/0002"]


def test_every_setting_that_all_sources_share_is_in_the_table() -> None:
    for name in SourceSettings.model_fields.keys() - {"type"}:
        assert f"| `{name}` |" in GUIDE
