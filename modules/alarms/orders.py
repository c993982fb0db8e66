"""What people tell the module: `acknowledge`, `testAlarm`, as command and as direct method; `resolve`, as command."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from modules.alarms.carrier import Carrier, MessengerCarrier, SwitchCarrier
from modules.alarms.condition import Key
from modules.alarms.notice import Notice
from modules.alarms.store import Queued
from modules.common import verbs
from modules.common.messages import BadMessage, Message, new_id
from modules.common.methods import MethodError

TEST: Final = "testAlarm"
_ANSWER_S: Final = 10.0
_NAME: Final = 100


class Desk(Protocol):
    """The module, as far as orders need it."""

    @property
    def testing(self) -> set[str]:
        """Switches that a test holds on."""

    def testable(self) -> Mapping[str, Carrier]:
        """The outputs that the test button is for."""

    def find(self, alert_id: str) -> Key | None:
        """The condition of an alert that was taken; None for one that was not."""

    def live(self, pattern: str) -> list[Key]:
        """Conditions that ask for somebody, by a pattern of their source."""

    async def acknowledge(self, keys: list[Key], who: str) -> None:
        """Somebody takes care of these; on disk when it returns."""

    async def resolve(self, key: Key, alert_id: str, who: str) -> None:
        """Somebody says by an alert that its condition is over; on disk when it returns."""

    def show_levels(self) -> None:
        """Let every switch show what it should."""


class Orders:
    """Carries them out. `hold_s` tells how long a test switches on now."""

    def __init__(self, desk: Desk, gateway: str, hold_s: Callable[[], float]) -> None:
        self._desk, self._gateway, self._hold_s = desk, gateway, hold_s
        self._running: set[asyncio.Task[object]] = set()

    async def command(self, message: Message) -> None:
        """A command. One that is about an alert without an alarm is well: it goes to everybody. Raises BadMessage."""
        document = message.document()
        alert, who = str(document.get("alert")), _who(document)
        match document.get("verb"):
            case verbs.ACKNOWLEDGE:
                if (key := self._desk.find(alert)) is not None:
                    await self._desk.acknowledge([key], who)
            case verbs.RESOLVE:
                if (key := self._desk.find(alert)) is not None:
                    await self._desk.resolve(key, alert, who)
            case "testAlarm":
                task = asyncio.create_task(self._try_out(self._outputs(document), who))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            case verb:
                raise BadMessage("unknown_command", str(verb)[:40])

    async def acknowledge(self, payload: object) -> object:
        """Method {"alert": id} or {"source": pattern}, and {"who"}. Raises MethodError."""
        document = payload if isinstance(payload, Mapping) else {}
        if (alert := document.get("alert")) is not None:
            key = self._desk.find(str(alert))
            keys = [] if key is None else [key]
        else:
            keys = self._desk.live(str(document.get("source") or ""))
        if not keys:
            raise MethodError(404, 'nothing stands there: {"alert": id} or {"source": pattern}, and {"who": name}')
        await self._desk.acknowledge(keys, _who(document))
        return {verbs.ACKNOWLEDGE: [{"module": each.module, "source": each.source, "kind": each.kind} for each in keys]}

    async def test(self, payload: object) -> object:
        """Method {"output": name} (none: all) and {"who"}: tried out, and what came of each. Raises MethodError."""
        document = payload if isinstance(payload, Mapping) else {}
        try:
            outputs = self._outputs(document)
        except BadMessage as error:
            raise MethodError(404, str(error)) from error
        return await self._try_out(outputs, _who(document))

    async def stop(self) -> None:
        """Leave tests that run."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    def _outputs(self, document: Mapping[str, Any]) -> list[Carrier]:
        """Those meant, watchdogs left out. Raises BadMessage."""
        name = document.get("output")
        testable = self._desk.testable()
        if name is None:
            return list(testable.values())
        if name not in testable:
            raise BadMessage("unknown_output", f"no output {str(name)[:64]}; there are: {', '.join(testable)}")
        return [testable[name]]

    async def _try_out(self, outputs: list[Carrier], who: str) -> dict[str, object]:
        """Switch on for a while, send a notice: by name, '' or what went wrong."""
        answers = await asyncio.gather(*(self._one(each, who) for each in outputs))
        return {each.name: {"ok": not answer, "why": answer} for each, answer in zip(outputs, answers, strict=True)}

    async def _one(self, carrier: Carrier, who: str) -> str:
        try:
            async with asyncio.timeout(_ANSWER_S):
                if isinstance(carrier, SwitchCarrier):
                    await self._switch_on(carrier)
                    return ""
                assert isinstance(carrier, MessengerCarrier)
                now = time.time()
                notice = Notice.test(new_id(), who, self._gateway, now)
                carrier.put(Queued(0, carrier.name, now, notice))
                return await carrier.answer(notice.id)
        except TimeoutError:
            return carrier.state.why or f"no answer within {_ANSWER_S:g} s"

    async def _switch_on(self, carrier: SwitchCarrier) -> None:
        """On, as long as a test lasts and not as an alarm; off again whatever happens."""
        self._desk.testing.add(carrier.name)
        try:
            self._desk.show_levels()
            await carrier.shown()
            await asyncio.sleep(self._hold_s())
        finally:
            self._desk.testing.discard(carrier.name)
            self._desk.show_levels()


def _who(document: Mapping[str, Any]) -> str:
    return str(document.get("who") or "somebody")[:_NAME]
