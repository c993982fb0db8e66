"""The heartbeat and the view it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from tests.modules.conftest import Make, Play, PlayedTransport, Until


def test_the_heartbeat_says_how_the_module_is_and_where_its_view_is(
    make_edge: Make, transport: PlayedTransport, play: Play, until: Until
) -> None:
    edge = make_edge()
    edge.health(lambda: {"state": "warn", "text": "camera line1 is dark", "cameras": 2})
    edge.health(lambda: {str(1 // 0): 1})
    edge.view("spectrum", lambda query: ("text/plain", query["of"].encode()))

    async def part() -> None:
        await until(lambda: transport.outputs("health"))
        health: Any = transport.outputs("health")[-1].document()
        assert (health["module"], health["state"], health["facts"]) == ("vibration", "warn", {"cameras": 2})
        async with httpx.AsyncClient(base_url=health["view"]["url"], trust_env=False) as client:
            token = {"Authorization": f"Bearer {health['view']['token']}"}
            assert (await client.get("/metrics")).text.count("millwatch_connected") > 0
            assert (await client.get("/view/spectrum?of=press4")).status_code == 401
            assert (await client.get("/view/spectrum?of=press4", headers=token)).text == "press4"
            assert (await client.get("/view/spectrum", headers=token)).status_code == 404
            assert (await client.get("/view/nothing", headers=token)).status_code == 404
            assert (await client.post("/metrics")).status_code == 405
            assert (await client.get("/")).status_code == 404

    play(edge, part)
