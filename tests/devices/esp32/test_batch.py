"""What the leaf writes, against libraries that everybody uses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from azure.iot.device.common.auth.sastoken import RenewableSasToken
from azure.iot.device.common.auth.signing_mechanism import SymmetricKeySigningMechanism
from hypothesis import given, settings
from hypothesis import strategies as st

from localhub.wire import bag
from modules.common.messages import SENML, from_wire, rfc3339, senml
from modules.common.messages.ids import id_time_ms

if TYPE_CHECKING:
    from tests.devices.esp32.conftest import Served

TIMES = st.integers(1_767_225_600_000, 4_102_444_800_000)  # 2026 to 2100
# Texts that a connection string or a source may hold; JSON of MicroPython has no lone surrogates.
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)


@given(key=st.binary(max_size=150), message=st.binary(max_size=200))
@settings(max_examples=60)
def test_hmac(leaf: Served, key: bytes, message: bytes) -> None:
    assert leaf("hmac", key, message) == hmac.new(key, message, hashlib.sha256).digest()


@given(text=TEXTS)
@settings(max_examples=60)
def test_percent_encoding(leaf: Served, text: str) -> None:
    assert leaf("quote", text) == quote(text, safe="")


@pytest.mark.parametrize("length", [1, 20, 32, 64, 70])
def test_a_token_is_the_sdks(leaf: Served, length: int) -> None:
    for number in range(8):
        key = base64.b64encode(hashlib.shake_128(bytes((number,))).digest(length)).decode()
        signer = SymmetricKeySigningMechanism(key)  # type: ignore[no-untyped-call]
        theirs = RenewableSasToken("hub-1.azure-devices.net/devices/press4", signer)  # type: ignore[no-untyped-call]
        assert leaf("token", "hub-1.azure-devices.net", "press4", key, theirs.expiry_time) == str(theirs)


@given(now_ms=TIMES, random=st.binary(min_size=10, max_size=10))
@settings(max_examples=60)
def test_an_id_is_a_uuid_of_version_7(leaf: Served, now_ms: int, random: bytes) -> None:
    text = leaf("uuid7", now_ms, random)
    made = uuid.UUID(text)
    assert str(made) == text
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert id_time_ms(text) == now_ms
    assert made.bytes[9:] == random[3:] and made.bytes[7] == random[1]
    assert (made.bytes[6] & 0x0F, made.bytes[8] & 0x3F) == (random[0] & 0x0F, random[2] & 0x3F)


@given(ms=st.integers(0, 7_258_118_400_000))  # to 2200
@settings(max_examples=100)
def test_times(leaf: Served, ms: int) -> None:
    assert leaf("rfc3339", ms) == rfc3339(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))


def test_the_last_days_of_months(leaf: Served) -> None:
    for year in (2026, 2028, 2100):
        for month in range(1, 13):
            first = datetime(year, month, 1, tzinfo=UTC)
            for moment in (first, first - timedelta(milliseconds=1)):
                assert leaf("rfc3339", round(moment.timestamp() * 1000)) == rfc3339(moment)


VALUES = st.tuples(*[st.floats(0, 1000, width=32)] * 3)


@given(
    source=TEXTS.filter(lambda text: text.isascii()),
    begin=TIMES,
    steps=st.lists(st.tuples(st.integers(-5_000, 600_000), VALUES), min_size=1, max_size=30),
)
@settings(max_examples=60)
def test_readings(leaf: Served, source: str, begin: int, steps: list[tuple[int, tuple[float, float, float]]]) -> None:
    readings = [(begin + step, values) for step, values in steps]
    found = senml.decode(leaf("senml", source, readings))
    assert not found.rejected
    assert found.names == [f"{source}/{name}" for name in ("velocity", "acceleration", "peak")] * len(readings)
    assert found.units == ["m/s", "m/s2", "m/s2"] * len(readings)
    assert found.times == pytest.approx([ms / 1000 for ms, _ in readings for _ in range(3)], abs=1e-5)
    assert found.values == pytest.approx([value for _, values in readings for value in values], rel=1e-4)


@given(source=TEXTS, seq=st.integers(0, 2**32 - 1), now_ms=TIMES)
@settings(max_examples=60)
def test_properties(leaf: Served, source: str, seq: int, now_ms: int) -> None:
    topic = leaf("topic", "press4", source, "0198c1de-7b3a-7c4e-9d2f-0123456789ab", seq, now_ms).decode()
    head, _, properties = topic.rpartition("/")
    assert head == "devices/press4/messages/events"
    found = bag.decode(properties)
    message = from_wire(
        b"",
        found.properties,
        message_id=found.system["messageId"],
        content_type=found.system["contentType"],
        content_encoding=None,
    )
    assert (message.kind, message.schema, message.source, message.seq) == ("readings", "1", source, seq)
    assert message.message_id == "0198c1de-7b3a-7c4e-9d2f-0123456789ab"
    assert message.content_type == SENML
    assert message.time == datetime.fromtimestamp(now_ms / 1000, UTC).replace(microsecond=now_ms % 1000 * 1000)
