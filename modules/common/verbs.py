"""What every module can be told: change a setting here, or take such changes back. As direct method and as command.

`setLocal` takes {"settings": {...}, "who", "why"}, `clearLocal` {"who"}; a command is the same with its `verb`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

from modules.common.inputs import InputHandler
from modules.common.messages import BadMessage, Message
from modules.common.methods import MethodError, MethodHandler
from modules.common.settings import SettingsError

log = logging.getLogger(__name__)

COMMANDS: Final = "commands"
"""The input that commands come in by."""
SET: Final = "setLocal"
CLEAR: Final = "clearLocal"
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
