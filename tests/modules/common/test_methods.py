"""Direct methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modules.common.methods import MethodError

if TYPE_CHECKING:
    from tests.modules.conftest import Make, Play, PlayedTransport


def test_methods_answer_fail_and_are_unknown(make_edge: Make, transport: PlayedTransport, play: Play) -> None:
    edge = make_edge()

    async def double(payload: Any) -> object:
        if not isinstance(payload, int):
            raise MethodError(400, "a number, please")
        return payload * 2 if payload < 100 else payload / 0

    async def part() -> None:
        assert await transport.call("double", 4) == (200, 8)
        assert await transport.call("double", "x") == (400, {"error": "a number, please"})
        assert (await transport.call("double", 100))[0] == 500
        assert (await transport.call("unheard"))[0] == 404
        status, pong = await transport.call("ping")
        assert (status, isinstance(pong, dict) and pong["module"]) == (200, "vibration")
        status, document = await transport.call("getStatus")
        assert status == 200
        assert isinstance(document, dict)
        assert document["settings"] == {"version": 1, "ok": True, "error": "", "local": 0}
        assert "view" not in document

    edge.on_method("double", double)
    play(edge, part)
