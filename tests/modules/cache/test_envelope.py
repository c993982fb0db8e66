from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.cache.envelope import unwrap, wrap
from modules.common.messages import BadMessage, Message

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
kinds = st.sampled_from(("alert", "window", "score", "anomaly", "health", "sample"))
times = st.integers(0, 7_258_118_400_000).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
messages = st.builds(
    Message,
    body=st.binary(max_size=500),
    kind=kinds,
    source=texts,
    seq=st.integers(0, 2**62),
    time=times,
    message_id=st.text("abcdef0123456789-", min_size=1, max_size=128),
    schema=texts,
    content_type=st.none() | texts,
    content_encoding=st.none() | texts,
    severity=st.none() | texts,
    model=st.none() | texts,
    trace_id=st.none() | texts,
    properties=st.dictionaries(texts, texts, max_size=4),
)


@given(messages)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    record = wrap(message)
    assert unwrap(record.message_id, record.kind, record.source, record.source_seq, record.payload) == message


@pytest.mark.parametrize(
    ("kind", "priority"), [("alert", 0), ("window", 1), ("score", 1), ("anomaly", 1), ("sample", 2)]
)
def test_the_kind_decides_the_priority(kind: str, priority: int, make_message: Callable[..., Message]) -> None:
    assert wrap(make_message(kind)).priority == priority


@pytest.mark.parametrize("kind", ["frame", "waveform", "readings", "command"])
def test_what_is_not_for_the_cloud_is_refused(kind: str, make_message: Callable[..., Message]) -> None:
    with pytest.raises(BadMessage) as refusal:
        wrap(make_message(kind))
    assert refusal.value.reason == "unknown_kind"
