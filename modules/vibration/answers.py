"""Handles every input message once, though edgeHub may deliver it again.

What a message led to is worked out once and kept until all of it is sent: a second try after a failure sends what is
left, and a redelivery of what was handled to the end does nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence

from modules.common.messages import Message
from modules.vibration.outgoing import Outgoing

_REMEMBERED = 4096


class Answers:
    """The message being handled on one input, and the ids of those before."""

    def __init__(self, send: Callable[[str, Message], Awaitable[None]]) -> None:
        self._send = send
        self._handled: OrderedDict[str, None] = OrderedDict()
        self._open: tuple[str, list[Outgoing]] | None = None
        self.repeats = 0
        self.whole = asyncio.Lock()  # held while a message is worked on: whoever holds it sees whole messages only

    @property
    def busy(self) -> bool:
        """Whether a message is half handled."""
        return self._open is not None

    @property
    def handled(self) -> list[str]:
        """Ids of the last messages handled to the end, oldest first."""
        return list(self._handled)

    def remember(self, ids: Iterable[str]) -> None:
        """Take ids from a snapshot."""
        for message_id in ids:
            self._note(message_id)

    async def answer(self, message: Message, work: Callable[[Message], Sequence[Outgoing]]) -> None:
        """Let `work` turn `message` into messages, and send them in order. `work` may raise BadMessage.

        Messages that could not be sent stay, in their order, for the next try; those behind them may have gone before.
        """
        async with self.whole:
            await self._answer(message, work)

    async def _answer(self, message: Message, work: Callable[[Message], Sequence[Outgoing]]) -> None:
        if message.message_id in self._handled:
            self.repeats += 1
            return
        if self._open is None or self._open[0] != message.message_id:
            self._open = None
            self._open = (message.message_id, list(work(message)))
        left = self._open[1]
        # All at once: they leave in this order, and the wait for edgeHub is one wait, not one each.
        results = await asyncio.gather(*(self._send(*each) for each in left), return_exceptions=True)
        left[:] = [each for each, result in zip(left, results, strict=True) if result is not None]
        for result in results:
            if result is not None:
                raise result
        self._open = None
        self._note(message.message_id)

    def _note(self, message_id: str) -> None:
        self._handled[message_id] = None
        if len(self._handled) > _REMEMBERED:
            self._handled.popitem(last=False)
