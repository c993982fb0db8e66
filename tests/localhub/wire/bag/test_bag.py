"""Property bags, and how the SDK writes and reads them."""

from __future__ import annotations

import pytest
from azure.iot.device import Message
from azure.iot.device.iothub.pipeline import mqtt_topic_iothub
from hypothesis import example, given
from hypothesis import strategies as st

from localhub.wire import bag

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_keys = _text.filter(lambda key: key and key.casefold() not in bag.LONG_NAMES)
_properties = st.dictionaries(_keys, _text, max_size=6)
_system = st.dictionaries(st.sampled_from(sorted(bag.FORWARDED)), _text, max_size=6)


@given(properties=_properties, system=_system)
@example(properties={"a": "b=c&d/e"}, system={})
def test_what_is_encoded_is_decoded(properties: dict[str, str], system: dict[str, str]) -> None:
    decoded = bag.decode(bag.encode(properties, system))
    origin = {
        short: system.pop(name)
        for short, name in bag.LONG_NAMES.items()
        if short in ("$.cdid", "$.cmid") and name in system
    }
    assert decoded.properties == properties | origin
    assert decoded.system == system


@given(properties=_properties)
def test_the_sdk_reads_what_we_encode(properties: dict[str, str]) -> None:
    message = Message(b"")  # type: ignore[no-untyped-call]
    topic = "devices/gw1/modules/m/inputs/in"
    encoded = bag.encode(properties, {"messageId": "a/b", "contentType": "application/json"})
    mqtt_topic_iothub.extract_message_properties_from_topic(f"{topic}/{encoded}", message)  # type: ignore[no-untyped-call]
    assert message.custom_properties == properties
    assert message.message_id == "a/b"
    assert message.content_type == "application/json"


@given(properties=_properties)
def test_we_read_what_the_sdk_encodes_and_pass_it_on_unchanged(properties: dict[str, str]) -> None:
    message = Message(b"", content_encoding="utf-8", content_type="application/json", output_name="out")  # type: ignore[no-untyped-call]
    message.message_id = "id 1"
    message.custom_properties = dict(properties)
    topic = mqtt_topic_iothub.encode_message_properties_in_topic(message, "events/")  # type: ignore[no-untyped-call]
    decoded = bag.decode(topic.removeprefix("events/"))
    assert decoded.properties == properties
    assert decoded.system == {
        "outputName": "out",
        "messageId": "id 1",
        "contentEncoding": "utf-8",
        "contentType": "application/json",
    }
    parts = (decoded.properties, decoded.system)
    assert decoded.characters == sum(len(key) + len(value) for part in parts for key, value in part.items())
    assert decoded.forwarded is not None
    again = bag.decode(decoded.forwarded)
    del decoded.system["outputName"]
    assert (again.properties, again.system) == (decoded.properties, decoded.system)


@pytest.mark.parametrize(
    ("text", "properties", "system"),
    [
        ("", {}, {}),
        ("a=1&a=2", {"a": "2"}, {}),
        ("a", {"a": ""}, {}),
        ("a=b=c", {"a": "b=c"}, {}),
        ("&&a=1", {"a": "1"}, {}),
        ("%24.CT=text", {}, {"contentType": "text"}),
        ("$.mid=1", {}, {"messageId": "1"}),
        ("%24.cmid=forged", {"$.cmid": "forged"}, {}),
        ("a=b+c", {"a": "b+c"}, {}),
    ],
)
def test_odd_bags(text: str, properties: dict[str, str], system: dict[str, str]) -> None:
    decoded = bag.decode(text)
    assert (decoded.properties, decoded.system) == (properties, system)
    if decoded.forwarded is not None:
        again = bag.decode(decoded.forwarded)
        assert (again.properties, again.system) == (properties, system)


def test_user_properties_come_first_and_the_output_is_not_forwarded() -> None:
    system = {"outputName": "x", "messageId": "m", "connectionDeviceId": "gw1", "connectionModuleId": "a"}
    assert bag.encode({"k": "v w"}, system) == "k=v%20w&%24.mid=m&%24.cdid=gw1&%24.cmid=a"


def test_a_twin_change_goes_out_under_the_name_of_who_reported() -> None:
    system = {
        "connectionDeviceId": "gw1",
        "connectionModuleId": "$edgeHub",
        "rpSenderDeviceId": "gw1",
        "rpSenderModuleId": "camera",
    }
    assert bag.encode({}, system) == "%24.cdid=gw1&%24.cmid=camera"
