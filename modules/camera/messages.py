"""The camera's messages: a frame for inference, those of one moment together, a sample for retraining."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from modules.camera.watch import Taken
from modules.common.messages import JPEG, Message, derived_id, encode_member, new_id, pack, rfc3339

MODULE: Final = "camera"


class Numbering:
    """`seq` per source, from 1 at each boot."""

    def __init__(self) -> None:
        self._sent: Counter[str] = Counter()

    def next(self, source: str) -> int:
        """The next number of a source."""
        self._sent[source] += 1
        return self._sent[source]

    def frame(self, taken: Taken) -> Message:
        """The picture as a message of kind `frame`."""
        source = f"camera/{taken.camera}"
        return Message(
            body=taken.jpeg,
            kind="frame",
            source=source,
            seq=self.next(source),
            time=taken.captured,
            message_id=new_id(),
            content_type=JPEG,
            properties=_facts(taken),
        )

    def together(self, frames: Sequence[Message]) -> Message:
        """One message of the frames of one moment, of one camera: the frame itself where it is alone."""
        if len(frames) == 1:
            return frames[0]
        first = frames[0]
        members = [encode_member(frame) for frame in frames]
        seq = self.next(f"batches of {first.source}")
        return pack(first, members, ["frame"] * len(members), seq=seq, compress=False, source=first.source)


def _facts(taken: Taken) -> dict[str, str]:
    facts = {
        "width": str(taken.width),
        "height": str(taken.height),
        "captured": rfc3339(taken.captured),
        "reason": taken.reason,
        "gate_area": f"{taken.gate_area:.4f}",
    }
    if taken.item is not None:
        facts["item"] = taken.item
    return facts


def chosen(frame: Message, share: float) -> bool:
    """Whether this frame is one of an even ``share`` (0 to 1) of its source's, kept as samples."""
    return int(frame.seq * share) != int((frame.seq - 1) * share)


def sample(frame: Message) -> Message:
    """The same picture as a `sample`."""
    return _sample(frame.body, frame, 0, {**frame.properties, "of": "frame"})


def before(taken: Taken, frame: Message, index: int) -> Message:
    """A picture from before the event of a frame, as a `sample`; `index` counts them from 1."""
    return _sample(taken.jpeg, frame, index, {**_facts(taken), "of": "frame"})


def _sample(jpeg: bytes, frame: Message, index: int, facts: dict[str, str]) -> Message:
    return Message(
        body=jpeg,
        kind="sample",
        source=frame.source,
        seq=frame.seq,
        time=frame.time,
        message_id=derived_id(frame.message_id, MODULE, "samples", index),
        content_type=JPEG,
        trace_id=frame.message_id,
        properties=facts,
    )
