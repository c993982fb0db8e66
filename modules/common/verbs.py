"""What modules can be told by people, as direct method and as command.

Every module: `setLocal` {"settings": {...}, "who", "why"} changes a setting here, `clearLocal` {"who"} takes such
changes back. Those that raise alerts: `verdict` {"id", "verdict", "by", "why"}. A command is the same with its `verb`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from modules.common.inputs import InputHandler
from modules.common.messages import BadMessage, Message, OperatorVerdict, derived_id
from modules.common.methods import MethodError, MethodHandler
from modules.common.settings import SettingsError

log = logging.getLogger(__name__)

COMMANDS: Final = "commands"
"""The input that commands come in by."""
SET: Final = "setLocal"
CLEAR: Final = "clearLocal"
ACKNOWLEDGE: Final = "acknowledge"
RESOLVE: Final = "resolve"
VERDICT: Final = "verdict"
_SOMEBODY: Final = "somebody"


class SetLocal(Protocol):
    """`Edge.set_local`."""

    async def __call__(self, patch: object, *, who: str, why: str = "", at: datetime | None = None) -> None:
        """Change settings here."""


class ClearLocal(Protocol):
    """`Edge.clear_local`."""

    async def __call__(self, *, who: str) -> None:
        """Take back everything that was set here."""


class LocalVerbs:
    """Carries them out; any other command goes to `others`, the module's own handler."""

    def __init__(
        self, set_local: SetLocal, clear_local: ClearLocal, local_settings: Callable[[], Mapping[str, object]]
    ) -> None:
        self.others: InputHandler | None = None
        self._set, self._clear, self._settings = set_local, clear_local, local_settings

    def methods(self) -> dict[str, MethodHandler]:
        """The direct methods, each of which answers with all local settings."""
        return {SET: lambda payload: self._method(SET, payload), CLEAR: lambda payload: self._method(CLEAR, payload)}

    async def command(self, message: Message) -> None:
        """A message of the input `commands`. Raises BadMessage for what cannot be carried out."""
        document = message.document()
        verb = document.get("verb")
        if verb in (SET, CLEAR):
            try:
                await self._carry_out(str(verb), document, at=message.time)
            except SettingsError as error:
                log.warning("%s of %s is refused: %s", verb, _text(document, "who", _SOMEBODY), error)
                raise BadMessage("refused_setting", str(error)) from error
        elif self.others is not None:
            await self.others(message)
        else:
            raise BadMessage("unknown_command", str(verb)[:40])

    async def _method(self, verb: str, payload: object) -> object:
        document = payload if isinstance(payload, Mapping) else {}
        try:
            await self._carry_out(verb, document, at=None)
        except SettingsError as error:
            raise MethodError(400, str(error)) from error
        except OSError as error:
            raise MethodError(500, f"the change cannot be kept and was not made: {error}") from error
        return {"localSettings": self._settings()}

    def _carry_out(self, verb: str, document: Mapping[str, object], *, at: datetime | None) -> Awaitable[None]:
        who = _text(document, "who", _SOMEBODY)
        if verb == CLEAR:
            return self._clear(who=who)
        return self._set(document.get("settings"), who=who, why=_text(document, "why", ""), at=at)


def _text(document: Mapping[str, object], name: str, default: str) -> str:
    return str(document.get(name) or default)


class VerdictDesk(Protocol):
    """`Edge`, as far as verdicts need it."""

    async def send(self, output: str, message: Message) -> None:
        """Send and wait until it is stored."""

    def next_seq(self, source: str) -> int:
        """The next sequence number."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a module has on an alert: the source it was about, and the id of the sample that shows it (None: none)."""

    source: str
    sample: str | None = None


FindEvidence = Callable[[OperatorVerdict], Awaitable[Evidence | None]]


class Verdicts:
    """Takes what people say of alerts.

    `verdict` {"id", "verdict", "by", "why"} goes up on `samples` before it is answered.
    That somebody acknowledges or resolves an alert changes nothing for the module that raised it: it is logged.
    """

    def __init__(self, desk: VerdictDesk, module: str, find: FindEvidence | None = None) -> None:
        """`find` gives what the module has on the alert, and sends the sample first where it has not been sent."""
        self._desk, self._module, self._find = desk, module, find

    async def command(self, message: Message) -> bool:
        """Take a command; False for one that is not about an alert. Handled again it leads to the same record.

        Raises BadMessage.
        """
        document = message.document()
        if document.get("verb") in (ACKNOWLEDGE, RESOLVE):
            log.info("%s alert %s: %s: %s", *(document.get(name) for name in ("verb", "alert", "who", "why")))
        elif document.get("verb") == VERDICT:
            said = OperatorVerdict.parse(document, message.time)
            await self._record(said, derived_id(message.message_id, self._module, "samples", 0))
        else:
            return False
        return True

    async def method(self, payload: object) -> object:
        """A direct method `verdict`; answers with what was recorded."""
        try:
            said = OperatorVerdict.parse(payload if isinstance(payload, Mapping) else {}, datetime.now(UTC))
        except BadMessage as error:
            raise MethodError(400, str(error)) from error
        return (await self._record(said, None)).json()

    async def _record(self, said: OperatorVerdict, message_id: str | None) -> Message:
        evidence = await self._find(said) if self._find else None
        source, sample = (evidence.source, evidence.sample) if evidence else (self._module, None)
        record = said.message(source=source, seq=self._desk.next_seq("verdicts"), message_id=message_id, sample=sample)
        await self._desk.send("samples", record)
        log.info("alert %s: %s says %s: %s", said.alert, said.by, said.verdict, said.why)
        return record
