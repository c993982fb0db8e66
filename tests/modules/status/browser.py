"""The page in a real browser, for tests: opened as a person opens it, with every fault of its own noted."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

import orjson
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line, PlayLine

expect.set_options(timeout=60_000)  # a laden machine is slow, and a page that never comes is what is looked for
CHROMIUM = shutil.which("chromium")
Part = Callable[["Line", Page], Awaitable[None]]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs chromium (Debian's package): the page runs in a browser"
)


class Browse(Protocol):
    """Opens the page and runs a part; `before` runs before it is opened.

    No script error, no refused resource, no request to anywhere else. The content security policy is in force, so
    waiting goes by locators: wait_for_function would need eval.
    """

    def __call__(
        self,
        part: Part,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        locale: str = "en-GB",
        before: Part | None = None,
    ) -> None: ...


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser: started once, each test has a context of its own (cookies, storage, caches)."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        await browser.close()


def browsing(play_line: "PlayLine", browser: Browser) -> Browse:
    """`Browse`, with the line of one test."""

    def browse(
        part: Part,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        locale: str = "en-GB",
        before: Part | None = None,
    ) -> None:
        wrong: list[str] = []

        async def opened(line: "Line") -> None:
            context = await browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, locale=locale, reduced_motion="reduce"
            )
            async with context:
                page = await context.new_page()
                page.set_default_timeout(60_000)
                page.on("pageerror", lambda error: wrong.append(str(error)))
                page.on("console", lambda said: wrong.append(said.text) if "Security Policy" in said.text else None)
                page.on(
                    "request", lambda request: None if request.url.startswith(line.url) else wrong.append(request.url)
                )
                if before is not None:
                    await before(line, page)
                await page.goto(line.url)
                try:
                    await part(line, page)
                except BaseException as error:
                    error.add_note(f"the page: {wrong or 'nothing wrong of its own'}")
                    raise

        play_line(opened)
        assert wrong == []

    return browse


async def violations(page: Page, *, colours_only: bool = False) -> list[str]:
    """What axe-core finds wrong with the page as it stands: rule, and where."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if colours_only:
        options["runOnly"] = ["color-contrast"]
    if not await page.evaluate("'axe' in window"):  # half a megabyte: once for each document
        await page.evaluate(Axe().axe_script)
    result: dict[str, Any] = await page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{each['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for each in result["violations"]
        for node in each["nodes"]
    ]


def show(line: "Line", view: str, document: Mapping[str, Any]) -> None:
    """From now on the modules' view of that name is this."""
    line.view.handlers[view] = lambda _query: ("application/json", orjson.dumps(document))


def show_sensors(line: "Line", sensors: Sequence[Mapping[str, Any]]) -> None:
    """From now on vibration shows these, page by page as view.md says."""

    def answer(query: Mapping[str, str]) -> tuple[str, bytes]:
        found = [each for each in sensors if query.get("match", "") in each["source"]]
        offset = int(query.get("offset", 0))
        page = found[offset : offset + int(query.get("limit", 1000))]
        return "application/json", orjson.dumps({"sensors": page, "matching": len(found)})

    line.view.handlers["sensors"] = answer
