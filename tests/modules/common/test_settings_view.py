"""Every module shows its settings in force, and what was changed on the gateway."""

from typing import Any

import httpx


def test_settings_in_force_and_changed_here_are_shown(play: Any, make_edge: Any, transport: Any) -> None:
    transport.desired = {"$version": 4, "settings": {"limit": 12.0}}
    edge = make_edge()

    async def part() -> None:
        await edge.set_local({"names": {"a": 1}}, who="Ada", why="new part")
        views = edge._views
        async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {views.token}"}) as client:
            said = (await client.get(f"{views.url}/view/settings")).json()
        assert said["values"] == {"limit": 12.0, "names": {"a": 1}}
        assert (said["version"], said["ok"], said["error"]) == (4, True, "")
        assert {path: each["who"] for path, each in said["local"].items()} == {"names/a": "Ada"}

    play(edge, part)
