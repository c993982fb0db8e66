"""POST /fault: faults by name, for the command line and for localhub.testing.

{"kind": "drop" | "refuse" | "puback" | "session" | "tokens" | "disk" | "clock" | "clear", "client": CLIENT, ...};
`client` is a module of the gateway, `DEVICE/` or `DEVICE/MODULE`, and may be left out where all clients can be meant.
`refuse` takes `code` and `times` (1), `puback` takes `delay_ms`, `disk` takes `full`, `clock` takes `offset_s`. The
answer is what is set, and in `clients` those it was done to.
"""

from collections.abc import Iterable
from typing import Any

from localhub import control
from localhub.hub.faults import Faults


class FaultApi:
    """Handlers over the faults of one hub."""

    def __init__(self, faults: Faults, gateway: str) -> None:
        self._faults = faults
        self._gateway = gateway

    async def status(self, _call: control.Call) -> object:
        """What is set."""
        return self._faults.status()

    async def command(self, call: control.Call) -> object:
        """Do or set one fault."""
        kind, body = call.field("kind"), call.body
        try:
            done = self._done(kind, body)
        except ValueError as error:
            raise control.Refused(400, str(error)) from error
        return {"clients": list(done), **self._faults.status()}

    def _done(self, kind: object, body: dict[str, Any]) -> Iterable[str]:
        faults, client = self._faults, self._client(body.get("client"))
        match kind:
            case "drop":
                return _some(faults.drop(client), client, "is not connected")
            case "refuse":
                faults.refuse(_whole(body, "code"), _whole(body, "times", 1), client)
            case "puback":
                faults.delay_pubacks(_number(body, "delay_ms") / 1000, client)
            case "session":
                if client is None:
                    raise ValueError("whose session? name a client")
                return _some([client] if faults.lose_session(client) else [], client, "has no session")
            case "tokens":
                return _some(faults.expire_tokens(client), client, "has come with no token")
            case "disk":
                full = body.get("full")
                if full not in (True, False):
                    raise ValueError("full must be true or false")
                faults.fill_disk(full=bool(full))
            case "clock":
                faults.set_clock(_number(body, "offset_s"))
            case "clear":
                faults.clear()
            case _:
                raise ValueError(f"{kind!r} is none of drop, refuse, puback, session, tokens, disk, clock, clear")
        return ()

    def _client(self, name: object) -> str | None:
        if name is None:
            return None
        if not isinstance(name, str) or not name:
            raise ValueError("client must be MODULE, DEVICE/ or DEVICE/MODULE")
        device, slash, module = name.partition("/")
        return f"{self._gateway}/{device}" if not slash else f"{device}/{module}" if module else device


def _some(done: list[str], client: str | None, otherwise: str) -> list[str]:
    if client is not None and not done:
        raise control.Refused(404, f"{client} {otherwise}")
    return done


def _number(body: dict[str, Any], name: str) -> float:
    value = body.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise control.Refused(400, f"{name} must be a number")
    return value


def _whole(body: dict[str, Any], name: str, default: int | None = None) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise control.Refused(400, f"{name} must be a whole number")
    return value
