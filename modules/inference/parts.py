"""What one message of an input carries: itself, or the members of a batch; each is handled as if it had come alone."""

import logging
from typing import Final

from modules.common.edge import Edge
from modules.common.logs import Limited
from modules.common.messages import BATCH, BadMessage, Message, members
from modules.inference.settings import InferenceSettings

log = logging.getLogger(__name__)

MOST: Final = 256  # members of one batch


class Parts:
    """The parts of a message, and those of them that cannot be judged."""

    def __init__(self, edge: Edge[InferenceSettings], name: str, kind: str) -> None:
        self._edge, self._name, self._kind = edge, name, kind
        self._limited = Limited(log)

    def of(self, message: Message) -> list[Message]:
        """The messages of this input's kind in one; others of a batch are counted and left out. Raises BadMessage."""
        parts = members(message)
        if len(parts) > MOST:
            raise BadMessage("oversize", f"{len(parts)} members, {MOST} at most")
        if message.kind not in (BATCH, self._kind):
            raise BadMessage("unknown_kind", message.kind)
        for each in parts:
            if each.kind != self._kind:
                self.refuse(message, each, BadMessage("unknown_kind", each.kind))
        return [each for each in parts if each.kind == self._kind]

    def refuse(self, message: Message, part: Message, error: BadMessage) -> None:
        """A part that can never be judged: alone, it is the message's own trouble; in a batch the others go on."""
        if part is message:
            raise error
        self._edge.reject(self._name, error.reason)
        self._limited.warning(
            (self._name, error.reason), "input %s: member %s refused: %s", self._name, part.message_id, error
        )
