"""The examples of docs/guides/alarms.md are settings as the module takes them, and the formats are what is sent."""

import json
import re
from pathlib import Path

from modules.alarms.notice import Notice
from modules.alarms.outputs import KINDS
from modules.alarms.outputs.base import MessengerSettings, OutputSettings
from modules.alarms.rule import Rule
from modules.alarms.settings import AlarmsSettings
from modules.common.settings import validate

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/guides/alarms.md").read_text()
FORMATS = (ROOT / "docs/formats/alarms.md").read_text()


def examples(text: str) -> list[dict[str, object]]:
    return [json.loads(each) for each in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def test_every_example_is_taken_and_every_output_has_one() -> None:
    shown = set()
    for example in examples(GUIDE):
        if "HostConfig" not in example:
            settings = validate(AlarmsSettings, example)
            shown |= {each.type for each in settings.outputs.values()}
    assert shown == set(KINDS.places)


def test_every_setting_is_in_a_table() -> None:
    names = Rule.model_fields.keys() | MessengerSettings.model_fields.keys() | OutputSettings.model_fields.keys()
    for name in names - {"type"}:
        assert re.search(rf"^\|[^|]*`{name}`", GUIDE, re.MULTILINE), name


def test_a_notice_has_the_fields_that_are_written_down() -> None:
    (example,) = examples(FORMATS)
    assert Notice(**example).document() == example  # type: ignore[arg-type]
