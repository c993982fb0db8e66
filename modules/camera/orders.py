"""What a camera can be told, as a direct method and as a command: the verbs and what belongs to each.

| verb | fields beside `source` | what it does |
|---|---|---|
| `captureNow` | | sends the next frame |
| `partHere` | `item`, `time` | in the gate's mode `sensor`: sends the frame of that moment |
| `setThreshold` | `threshold`, `who`, `why` | a local change of the setting; null: back to what the twin says |
| `snapshotBackground` | | forgets what the gate learnt; the next frame is the background |
| `erase` | | forgets the pictures in memory; here `source` is a pattern, as for the cache |

`source` is the camera's name, `camera/` before it or not (`camera` may stand for `source`); without it all are meant.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final

from modules.camera.watch import Watch
from modules.common.messages import BadMessage, Message, parse_time
from modules.common.methods import MethodError, MethodHandler
from modules.common.settings import SettingsError
from modules.common.verbs import SetLocal

log = logging.getLogger(__name__)

CAPTURE: Final = "captureNow"
PART: Final = "partHere"
THRESHOLD: Final = "setThreshold"
BACKGROUND: Final = "snapshotBackground"
ERASE: Final = "erase"
VERBS: Final = (CAPTURE, PART, THRESHOLD, BACKGROUND, ERASE)

_PREFIX: Final = "camera/"


class Orders:
    """Carries the verbs out on the cameras in `watches`; `forget` drops what the module itself keeps of one."""

    def __init__(self, watches: Mapping[str, Watch], set_local: SetLocal, forget: Callable[[str], None]) -> None:
        self._watches, self._set_local, self._forget = watches, set_local, forget

    def methods(self) -> dict[str, MethodHandler]:
        """The direct methods; each answers with the names of the cameras asked."""
        return {verb: self._method(verb) for verb in VERBS}

    def _method(self, verb: str) -> MethodHandler:
        async def call(payload: object) -> object:
            document = payload if isinstance(payload, Mapping) else {}
            try:
                return {"asked": await self._carry_out(verb, document, at=None)}
            except LookupError as error:
                raise MethodError(404, str(error.args[0])) from error
            except ValueError as error:  # SettingsError among them
                raise MethodError(400, str(error)) from error
            except OSError as error:
                raise MethodError(500, f"the change cannot be kept and was not made: {error}") from error

        return call

    async def command(self, message: Message) -> None:
        """A message of the input `commands`. Raises BadMessage for what cannot be carried out."""
        document = message.document()
        verb = str(document.get("verb"))
        if verb not in VERBS:
            raise BadMessage("unknown_command", verb[:40])
        try:
            await self._carry_out(verb, document, at=message.time)
        except LookupError as error:
            raise BadMessage("unknown_camera", str(error.args[0])) from error
        except SettingsError as error:
            raise BadMessage("refused_setting", str(error)) from error
        except ValueError as error:
            raise BadMessage("wrong_shape", str(error)) from error

    async def _carry_out(self, verb: str, document: Mapping[str, object], *, at: datetime | None) -> list[str]:
        given = document.get("source", document.get("camera"))
        if verb == ERASE:
            return self._erase("*" if given is None else str(given))
        names = self._named(given)
        if verb == THRESHOLD:
            await self._set_threshold(names, document, at)
            return names
        moment = _moment(document, at)
        for name in names:
            watch = self._watches[name]
            match verb:
                case "captureNow":
                    watch.capture_now()
                case "partHere":
                    if watch.settings.gate.mode != "sensor":
                        raise ValueError(f"camera {name} does not listen to a part sensor: set its gate's mode so")
                    watch.part_here(moment, _item(document))
                case _:
                    watch.learn_now()
        return names

    def _named(self, given: object) -> list[str]:
        if given is None:
            return list(self._watches)
        name = str(given).removeprefix(_PREFIX)
        if name not in self._watches:
            raise LookupError(f"no camera {name!r}; there are: {', '.join(self._watches)}")
        return [name]

    async def _set_threshold(self, names: list[str], document: Mapping[str, object], at: datetime | None) -> None:
        if "threshold" not in document:
            raise ValueError("say the threshold, in grey levels, or null to take a local one back")
        gate = {"gate": {"threshold": document["threshold"]}}
        who, why = str(document.get("who") or "somebody"), str(document.get("why") or "")
        await self._set_local({"cameras": dict.fromkeys(names, gate)}, who=who, why=why, at=at)
        log.info("%s sets the threshold of %s to %s", who, ", ".join(names), document["threshold"])

    def _erase(self, pattern: str) -> list[str]:
        names = [name for name in self._watches if fnmatchcase(_PREFIX + name, pattern) or name == pattern]
        for name in names:
            self._watches[name].forget()
            self._forget(name)
        return names


def _moment(document: Mapping[str, object], at: datetime | None) -> datetime:
    """When the part was there: what the document says, else when the message was made, else now."""
    said = document.get("time")
    return parse_time(str(said)) if said is not None else at or datetime.now(UTC)


def _item(document: Mapping[str, object]) -> str | None:
    item = document.get("item")
    return None if item is None else str(item)[:128]
