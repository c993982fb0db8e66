"""The outputs of the alarms module: through REST and on the page, with the test button."""

from typing import Any

import orjson
from playwright.async_api import Page, expect

from tests.modules.status.browser import Browse, needs_chromium
from tests.modules.status.conftest import Line, PlayLine

OUTPUTS = {
    "horn": {
        "type": "gpio",
        "state": "ok",
        "pending": 0,
        "last_success": "2026-01-02T03:04:05.678Z",
        "last_error": "",
        "remark": "a mock pin",
        "level": 1,
    },
    "mail": {
        "type": "email",
        "state": "failing",
        "pending": 3,
        "last_success": None,
        "last_error": "mail.example.com: no answer within 20 s",
        "remark": "",
    },
}
ALARM = {"rule": "critical", "source": "press4", "severity": "critical", "sounds": True, "why": ""}


def shows_alarms(line: Line) -> None:
    document = orjson.dumps({"alarms": [ALARM], "matching": 1, "outputs": OUTPUTS})
    line.view.handlers["alarms"] = lambda _query: ("application/json", document)
    line.heartbeat("alarms")


def test_outputs_are_shown_and_tried_out(play_line: PlayLine, transport: Any) -> None:
    async def part(line: Line) -> None:
        assert (await line.client.get("/api/v1/alarms")).status_code == 503
        shows_alarms(line)
        await line.settled()
        assert (await line.get("/api/v1/alarms"))["outputs"] == OUTPUTS

        async def ask(**body: str) -> int:
            answer = await line.client.post("/api/v1/alarms/test", json=body, headers=line.acting)
            return answer.status_code

        assert await ask(who="Ada", output="horn") == 202
        assert await ask(who="Ada", output="siren") == 404
        assert await ask(who="Ada") == 202
        nobody = await line.client.post("/api/v1/alarms/test", json={"who": "Ada"})
        assert nobody.status_code == 401

    play_line(part)
    one, every = transport.outputs("commands")
    assert (one.properties["target"], one.document()["verb"], one.document()["output"]) == (
        "alarms",
        "testAlarm",
        "horn",
    )
    assert "output" not in every.document()


@needs_chromium
def test_the_page_shows_outputs_and_has_the_button(browse: Browse, transport: Any) -> None:
    async def part(line: Line, page: Page) -> None:
        line.heartbeat("vibration")
        await expect(page.locator("#modules tr")).to_have_count(1)
        await expect(page.locator("#alarms-card")).to_be_hidden()
        shows_alarms(line)
        await expect(page.locator("#alarms-card")).to_be_visible()
        await expect(page.locator("#alarms-said")).to_have_text("Alarms that sound: 1")
        await expect(page.locator("#outputs li")).to_have_count(2)
        await expect(page.locator("#outputs li").nth(0)).to_contain_text("on")
        await expect(page.locator("#outputs li").nth(1)).to_contain_text("no answer within 20 s")
        await expect(page.locator("#outputs li").nth(1)).to_contain_text("3 waiting")
        await page.get_by_role("button", name="Test").first.click()
        await page.get_by_label("Token").fill(line.token)
        await page.keyboard.press("Enter")
        await expect(page.locator("#alarms-said")).to_have_text("horn is being tried out.")

    browse(part)
    (asked,) = transport.outputs("commands")
    assert (asked.document()["verb"], asked.document()["output"]) == ("testAlarm", "horn")
