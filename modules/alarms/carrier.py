"""One output at work: told what to show or send, it tries until the far end has it, and always says how it stands.

Each carrier is a task of its own, so that a far end which hangs holds up nobody else.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from modules.alarms.outputs.base import (
    Messenger,
    MessengerSettings,
    OutputError,
    OutputSettings,
    Switch,
    SwitchSettings,
)
from modules.alarms.store import Queued
from modules.common.backoff import backoff
from modules.common.field.reach import FieldError
from modules.common.messages import rfc3339
from modules.common.tasks import end

log = logging.getLogger(__name__)

Phase = Literal["untried", "ok", "failing"]

_FIRST_WAIT: Final = 0.25
_CLOSE_S: Final = 2.0
_REFUSALS: Final = 5  # tries of what the far end refuses
_TEXT: Final = 300


@dataclass(slots=True)
class State:
    """How an output stands. Times are Unix seconds; `why` is the last error, kept after it is over."""

    phase: Phase = "untried"
    since: float = field(default_factory=time.time)
    why: str = ""
    failed: float | None = None
    succeeded: float | None = None
    deliveries: int = 0
    failures: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_at: float = 0.0


class Carrier:
    """What both sorts have in common. `changed` is called when the state has."""

    def __init__(self, name: str, wanted: OutputSettings, *, changed: Callable[[], None]) -> None:
        self.name: Final = name
        self.wanted: Final = wanted
        self.state: Final = State()
        self._changed = changed
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._waits: Iterator[float] = self._fresh_waits()

    def start(self) -> None:
        """Begin; nothing where it has begun."""
        if self._task is not None:
            return
        self._task = asyncio.create_task(self._stay(), name=f"output {self.name}")

    async def stop(self) -> None:
        """End, and leave nothing open."""
        if self._task is not None:
            await end([self._task], _CLOSE_S)
        await self._close()

    @property
    def remark(self) -> str:
        """What people should know of it beside its state."""
        raise NotImplementedError

    @property
    def pending(self) -> int:
        """How much waits to be told to the far end."""
        raise NotImplementedError

    def facts(self) -> dict[str, object]:
        """For health: how it stands, and what it has done."""
        state = self.state
        return {
            "type": self.wanted.type,
            "state": state.phase,
            "since": _text(state.since),
            "pending": self.pending,
            "deliveries": state.deliveries,
            "failures": state.failures,
            "dropped": dict(state.dropped),
            "last_success": _text(state.succeeded),
            "last_error": state.why,
            "last_error_at": _text(state.failed),
            "remark": self.remark,
        }

    async def _stay(self) -> None:
        while True:
            await self._turn()

    async def _turn(self) -> None:
        """One step: something shown, sent or looked after, or a wait."""
        raise NotImplementedError

    async def _close_far_end(self) -> None:
        raise NotImplementedError

    async def _try(self, what: Awaitable[bool | None]) -> OutputError | None:
        """Try once, for as long as patience lasts; what went wrong, or None. False as result tells nothing new."""
        try:
            async with asyncio.timeout(self.wanted.patience_s):
                told = await what
        except OutputError as error:
            failed = error
        except TimeoutError:
            failed = OutputError(f"no answer within {self.wanted.patience_s:g} s")
        except FieldError as error:
            failed = OutputError(str(error))
        except Exception as error:  # a library may raise anything: it costs this output, and no other
            if self.state.phase != "failing":
                log.exception("output %s", self.name)
            failed = OutputError(f"{type(error).__name__}: {error}")
        else:
            if told is not False:
                self._succeeded()
            return None
        self._failed(str(failed))
        await self._close()
        return failed

    async def _woken(self, within: float) -> None:
        """Wait, until there is something new at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._wake.wait()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._close_far_end()
        except Exception as error:  # noqa: BLE001 - what cannot even be closed is begun anew all the same
            log.debug("output %s: closing: %s", self.name, error)

    def _succeeded(self) -> None:
        state = self.state
        state.succeeded = time.time()
        self._waits = self._fresh_waits()
        if state.phase != "ok":
            if state.phase == "failing":
                log.info("output %s is back after %.1f s", self.name, state.succeeded - state.since)
            state.phase, state.since = "ok", state.succeeded
            self._changed()

    def _failed(self, why: str) -> None:
        state = self.state
        state.failures += 1
        state.why, state.failed = why[:_TEXT], time.time()
        if state.phase != "failing":
            log.warning("output %s fails: %s; tried on until it works", self.name, state.why)
            state.phase, state.since = "failing", state.failed
            self._changed()

    def _fresh_waits(self) -> Iterator[float]:
        return backoff(first=min(_FIRST_WAIT, self.wanted.retry_s), longest=self.wanted.retry_s)


class SwitchCarrier(Carrier):
    """Keeps a switch at the level that is wanted, also when the far end has lost it."""

    def __init__(self, name: str, wanted: SwitchSettings, *, changed: Callable[[], None]) -> None:
        super().__init__(name, wanted, changed=changed)
        self._switch: Final[Switch] = wanted.make()
        self._level = 0
        self._shown: int | None = None
        self._settled = asyncio.Event()

    @property
    def level(self) -> int:
        """What it is to show."""
        return self._level

    @property
    def remark(self) -> str:
        """As the switch has it."""
        return self._switch.remark

    @property
    def pending(self) -> int:
        """1 while the far end does not show what it is to show."""
        return int(self._shown != self._level)

    def show(self, level: int) -> None:
        """Show `level` from now on."""
        if level != self._level:
            self._level = level
            self._settled.clear()
            self._wake.set()

    async def shown(self) -> None:
        """Wait until the far end shows what it is to show."""
        await self._settled.wait()

    def facts(self) -> dict[str, object]:
        """As of every output, and the level: wanted, and known to be shown (null: not known)."""
        return {**super().facts(), "level": self._level, "shown": self._shown}

    async def _turn(self) -> None:
        self._wake.clear()
        level = self._level
        if self._shown == level:
            await self._woken(self.wanted.look_s)
            if self._shown == self._level and await self._try(self._switch.check(level)) is not None:
                self._shown = None
        elif await self._try(self._switch.show(level)) is None:
            self._shown = level
            self.state.deliveries += 1
            if level == self._level:
                self._settled.set()
        else:
            self._shown = None
            await self._woken(next(self._waits))

    async def _close_far_end(self) -> None:
        await self._switch.close()


class MessengerCarrier(Carrier):
    """Hands notices over one by one. `gone` is told of those that need not be kept any longer, and why (sent: '')."""

    def __init__(
        self, name: str, wanted: MessengerSettings, *, changed: Callable[[], None], gone: Callable[[Queued, str], None]
    ) -> None:
        super().__init__(name, wanted, changed=changed)
        self._limits = wanted
        self._messenger: Final[Messenger] = wanted.make()
        self._gone = gone
        self._waiting: deque[Queued] = deque()
        self._refusals = 0
        self._asked: dict[str, asyncio.Future[str]] = {}

    @property
    def remark(self) -> str:
        """As the messenger has it."""
        return self._messenger.remark

    @property
    def pending(self) -> int:
        """Notices that wait."""
        return len(self._waiting)

    def put(self, queued: Queued) -> None:
        """Let a notice wait its turn; where too many wait the oldest is dropped."""
        self._waiting.append(queued)
        if len(self._waiting) > self._limits.most_waiting:
            self._drop(self._waiting[0], "full")
        self._wake.set()

    async def answer(self, notice_id: str) -> str:
        """Wait until a notice that waits has been sent ('') or dropped (the reason)."""
        return await self._asked.setdefault(notice_id, asyncio.get_running_loop().create_future())

    async def _turn(self) -> None:
        self._wake.clear()
        if not self._waiting:
            failed = await self._try(self._messenger.check())
            await self._woken(self.wanted.look_s if failed is None else next(self._waits))
            return
        queued = self._waiting[0]
        if time.time() - queued.queued > self._limits.give_up_s:
            self._drop(queued, "too old")
            return
        failed = await self._try(self._messenger.send(queued.notice))
        if failed is None:
            self.state.deliveries += 1
            self._remove(queued, "")
            return
        self._refusals += failed.refused
        if self._refusals >= _REFUSALS:
            self._drop(queued, "refused")
        else:
            await asyncio.sleep(next(self._waits))  # one notice more is no reason to ask a far end that fails sooner

    def _drop(self, queued: Queued, reason: str) -> None:
        self.state.dropped[reason] += 1
        self.state.dropped_at = time.time()
        log.warning("output %s: a notice is dropped, %s: %s", self.name, reason, queued.notice.id)
        self._remove(queued, reason)

    def _remove(self, queued: Queued, reason: str) -> None:
        """Let go of a notice, unless that has been done meanwhile."""
        if queued not in self._waiting:
            return
        if queued is self._waiting[0]:
            self._refusals = 0
        self._waiting.remove(queued)
        self._gone(queued, reason)
        asked = self._asked.pop(queued.notice.id, None)
        if asked is not None and not asked.done():
            asked.set_result(reason)

    async def _close_far_end(self) -> None:
        await self._messenger.close()


def _text(at: float | None) -> str | None:
    return None if at is None else rfc3339(datetime.fromtimestamp(at, UTC))
