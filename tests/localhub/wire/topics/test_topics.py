"""Which topics are events, and of whom."""

from __future__ import annotations

import pytest

from localhub.wire import topics
from localhub.wire.topics import EventTopic


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("devices/d/messages/events", EventTopic("d", None, "")),
        ("devices/d/messages/events/", EventTopic("d", None, "")),
        ("devices/d/messages/events/a=1", EventTopic("d", None, "a=1")),
        ("devices/d/messages/events/a=1/", EventTopic("d", None, "a=1")),
        ("devices/d/modules/m/messages/events/", EventTopic("d", "m", "")),
        ("devices/d/modules/m/messages/events/%24.on=x&a=1", EventTopic("d", "m", "%24.on=x&a=1")),
        ("devices/d/modules/m/messages/events/%24.on=x/", EventTopic("d", "m", "%24.on=x")),
        ("devices/d/modules/m/messages/events/a=b/c", None),
        ("devices/d/modules//messages/events/", None),
        ("devices//messages/events/", None),
        ("devices/d/messages/devicebound/", None),
        ("devices/d/modules/m/inputs/x", None),
        ("something", None),
        ("", None),
    ],
)
def test_parse_event(topic: str, expected: EventTopic | None) -> None:
    assert topics.parse_event(topic) == expected


def test_event_topics_are_read_back() -> None:
    topic = topics.event("gw1", "camera", {"a": "b/c"}, {"outputName": "frames"})
    assert topic == "devices/gw1/modules/camera/messages/events/%24.on=frames&a=b%2Fc"
    assert topics.parse_event(topic) == EventTopic("gw1", "camera", "%24.on=frames&a=b%2Fc")
