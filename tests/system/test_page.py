"""The page in a real browser, fed by the running line."""

import shutil

import pytest
from playwright.sync_api import sync_playwright

from devices.line import Line

CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian's package): the page is tested in a real browser")
def test_the_page_shows_live_figures_and_the_last_picture(line: Line) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        # The page forbids eval, which is how the driver waits for a condition.
        page = browser.new_context(bypass_csp=True).new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if "127.0.0.1" not in request.url else None)
        page.goto(f"http://127.0.0.1:{line.page_port}/")
        page.wait_for_function("document.body.innerText.includes('press3')", timeout=60_000)
        page.wait_for_function(
            "[...document.images].some(image => image.complete && image.naturalWidth > 50)", timeout=60_000
        )
        text = page.inner_text("body")
        for module in line.manifest_modules():
            assert module in text
        browser.close()
    assert not wrong
