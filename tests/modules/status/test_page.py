"""The page in a real browser."""

import shutil
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, async_playwright, expect

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line

CHROMIUM = shutil.which("chromium")
Play = Callable[[Callable[["Line"], Awaitable[None]]], None]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs chromium (Debian's package): the page runs in a browser"
)


def browse(play_line: Play, part: Callable[["Line", Page], Awaitable[None]], *, width: int = 1440) -> None:
    """Open the page, run `part`; no script error, no refused resource, no request to anywhere else.

    The content security policy is in force, so waiting goes by locators: wait_for_function would need eval.
    """
    wrong: list[str] = []

    async def opened(line: "Line") -> None:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM)
            page = await browser.new_page(viewport={"width": width, "height": 900})
            page.set_default_timeout(15_000)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda said: wrong.append(said.text) if "Security Policy" in said.text else None)
            page.on("request", lambda request: None if request.url.startswith(line.url) else wrong.append(request.url))
            await page.goto(line.url)
            await part(line, page)
            await browser.close()

    play_line(opened)
    assert wrong == []


def test_a_person_sees_what_is_wrong_and_takes_care_of_it(play_line: Play) -> None:
    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("vibration")
        line.heartbeat("camera", facts={"cameras": {"line1": {"state": "ok", "frames": 9, "sent": 4}}})
        await expect(page.locator("body")).to_have_attribute("data-level", "ok", timeout=15_000)
        message = line.alert()
        await expect(page.locator("h1")).to_contain_text("press3/vibration\u2011velocity")
        await expect(page.locator("body")).to_have_attribute("data-level", "stop")
        await expect(page.locator(".tile .spark path").first).to_be_attached(timeout=15_000)
        await expect(page.locator("figure img")).to_be_visible()
        assert await page.evaluate("document.querySelector('figure img').decode().then(() => true)")
        assert "8.10" in await page.inner_text(".tile[data-state=fail]")
        assert "mm/s" in await page.inner_text(".tile[data-state=fail]")

        await page.get_by_role("button", name="Acknowledge").click()
        await page.get_by_label("Your name").fill("Ada")
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
        await page.get_by_text("not the right one").wait_for()
        await page.get_by_label("Token").fill(line.token)
        await page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
        await expect(page.locator("body")).to_have_attribute("data-level", "ok", timeout=15_000)
        found = await line.get(f"/api/v1/alerts/{message.message_id}")
        assert found["acknowledged"]["who"] == "Ada"

    browse(play_line, part)


def test_what_modules_say_is_text_and_never_markup(play_line: Play) -> None:
    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("<img src=x onerror=alert(1)>", text="<b>bold</b>")
        line.alert(source="<script>alert(1)</script>", text="<i>now</i>")
        await page.get_by_text("<i>now</i>").first.wait_for()
        assert await page.evaluate("document.querySelectorAll('main b b, main i, main script, td img').length") == 0

    browse(play_line, part)


def test_silence_never_looks_like_all_right(play_line: Play) -> None:
    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("vibration")
        await expect(page.locator("body")).to_have_attribute("data-level", "ok", timeout=15_000)
        line.module.events.tell = lambda *_arguments, **_more: None  # type: ignore[method-assign]
        await expect(page.locator("body")).to_have_attribute("data-level", "unknown", timeout=15_000)
        assert "No word" in await page.inner_text("h1")

    browse(play_line, part)


def test_it_fits_a_phone(play_line: Play) -> None:
    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("vibration")
        line.alert()
        await expect(page.locator("body")).to_have_attribute("data-level", "stop", timeout=15_000)
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    browse(play_line, part, width=390)


def test_the_verdict_of_one_part_does_not_stand_over_the_next(play_line: Play) -> None:
    def shows(item: str) -> dict[str, object]:
        return {"cameras": {"line1": {"state": "ok", "frames": 9, "sent": 4, "item": item}}}

    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("camera", facts=shows("part-3"))
        line.alert(source="camera/line1", rule="tile", item="part-3", label="defect", probability=0.98)
        await expect(page.locator("figure .seen")).to_have_text("defect 98 %", timeout=15_000)
        line.heartbeat("camera", facts=shows("part-4"))
        await expect(page.locator("figcaption")).to_contain_text("part-4", timeout=15_000)
        await expect(page.locator("figure .seen")).to_be_hidden()

    browse(play_line, part)
