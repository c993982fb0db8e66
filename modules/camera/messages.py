"""The camera's messages: a frame for inference, a sample for retraining."""

from __future__ import annotations

from collections import Counter

from modules.camera.watch import Taken
from modules.common.messages import JPEG, Message, derived_id, new_id, rfc3339


class Numbering:
    """`seq` per source, from 1 at each boot, and the even choice of every n-th frame as a sample."""

    def __init__(self) -> None:
        self._sent: Counter[str] = Counter()

    def frame(self, taken: Taken) -> Message:
        """The picture as a message of kind `frame`."""
        source = f"camera/{taken.camera}"
        self._sent[source] += 1
        facts = {
            "width": str(taken.width),
            "height": str(taken.height),
            "captured": rfc3339(taken.captured),
            "reason": taken.reason,
            "gate_area": f"{taken.gate_area:.4f}",
        }
        if taken.item is not None:
            facts["item"] = taken.item
        return Message(
            body=taken.jpeg,
            kind="frame",
            source=source,
            seq=self._sent[source],
            time=taken.captured,
            message_id=new_id(),
            content_type=JPEG,
            properties=facts,
        )


def sample(frame: Message, share: float) -> Message | None:
    """The same picture as a `sample`, for an even ``share`` (0 to 1) of the frames of each source."""
    if int(frame.seq * share) == int((frame.seq - 1) * share):
        return None
    return Message(
        body=frame.body,
        kind="sample",
        source=frame.source,
        seq=frame.seq,
        time=frame.time,
        message_id=derived_id(frame.message_id, "camera", "samples", 0),
        content_type=JPEG,
        trace_id=frame.message_id,
        properties={**frame.properties, "of": "frame"},
    )
