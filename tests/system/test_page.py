"""The page in a real browser, fed by the running line: what a person in front of the gateway sees and does."""

import re
import shutil
import statistics
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from devices.line import Line

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs chromium (Debian's package): the page is tested in a real browser"
)
expect.set_options(timeout=60_000)
CUT_SEEN_MS = 5_000  # measured: 0.8 to 1.9 s on two cores with other work on them

# The width of a picture that can be decoded; one that the next picture replaces meanwhile is looked at again.
SHOWN = """async image => {
  for (let tries = 0; tries < 50; tries += 1) {
    try { await image.decode(); return image.naturalWidth; } catch { await new Promise((go) => setTimeout(go, 100)); }
  }
  return 0;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, line: Line) -> Iterator[Page]:
    """The page of the running line; no script error, no request to anywhere else."""
    opened = browser.new_page(locale="en-GB", reduced_motion="reduce")
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda request: wrong.append(request.url) if "127.0.0.1" not in request.url else None)
    opened.goto(f"http://127.0.0.1:{line.page_port}/")
    yield opened
    opened.close()
    assert wrong == []


WATCH = """() => {
  window.took = [];
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (target.matches('.alert.new')) window.took.push(Date.now() - new Date(target.querySelector('time').dateTime));
    }
  }).observe(document.getElementById('alert-list'), { subtree: true, attributes: true, attributeFilter: ['class'] });
}"""


def test_an_alert_is_on_the_page_within_a_second_of_its_reading(page: Page, line: Line) -> None:
    expect(page.locator("body")).not_to_have_attribute("data-level", "unknown")
    page.evaluate(WATCH)
    took: list[float] = line.wait(
        "three new alerts on the page", lambda: len(found := page.evaluate("window.took")) >= 3 and found
    )
    assert 0 < statistics.median(took) < 1000


def test_the_page_shows_live_figures_and_pictures(page: Page, line: Line) -> None:
    expect(page.locator(".tile", has_text="press3")).not_to_have_count(0)
    for module in line.manifest_modules():
        expect(page.locator("#modules")).to_contain_text(module)
    expect(page.locator("#models li")).not_to_have_count(0)
    image = page.locator("figure .look img")
    expect(image).to_be_visible()
    expect(image).to_have_js_property("complete", value=True)
    assert image.evaluate(SHOWN) > 50


def test_a_bearings_spectrum_is_shown_with_its_fault_orders(page: Page) -> None:
    page.get_by_label("Name contains").fill("motor2")
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.locator(".tile[data-state=warn]")).to_have_count(1)
    page.locator(".tile .open").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".orders tbody tr")).to_have_count(4)
    expect(dialog.locator(".chart .fault.bpfo")).not_to_have_count(0)
    expect(dialog.locator(".chart .sideband")).not_to_have_count(0)
    # The default line's second motor has an outer race fault: that line stands out the furthest.
    heights = dialog.locator(".orders tbody td:last-child").all_inner_texts()
    levels = [float(text.split()[0]) for text in heights]
    assert levels[0] == max(levels)


def test_a_cut_link_is_seen_and_so_is_its_return(page: Page, line: Line) -> None:
    chip = page.locator("#chip-link")
    expect(chip).to_have_text("cloud connected")
    expect(page.locator("#queue")).to_contain_text(re.compile(r"Last confirmed delivery\s*\d+ (sec|min) ago"))
    assert line.command("link", "down").returncode == 0
    try:
        expect(chip).to_have_text("cloud away", timeout=CUT_SEEN_MS)
        expect(page.locator("#link-list li").first).to_contain_text("Cloud: down until now")
        expect(page.locator("#queue")).to_contain_text(re.compile(r"Last confirmed delivery\s*\d+ (sec|min) ago"))
    finally:
        line.command("link", "up")
    expect(chip).to_have_text("cloud connected")
    expect(page.locator("#link-list li").first).to_contain_text("Cloud: up until now")


def test_a_person_takes_care_by_keyboard_on_a_phone_at_night_in_german(page: Page, line: Line) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark")
    page.get_by_label("Language").select_option("de")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    button = page.get_by_role("button", name="Kümmern: press3/vibration-velocity")
    expect(button).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Ihr Name").fill("Ada")
    page.get_by_label("Was getan wird").fill("Lager bestellt")
    page.keyboard.press("Enter")
    token = next(line.state.rglob("tokens/operate")).read_text().strip()
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Quittiert.")).to_be_visible()
    page.keyboard.press("Escape")
    alerts = line.api("/api/v1/alerts", acknowledged="true")["alerts"]
    assert [(each["acknowledged"]["who"], each["acknowledged"]["why"]) for each in alerts] == [
        ("Ada", "Lager bestellt")
    ]


def test_a_cameras_detail_shows_what_was_judged_and_what_the_gate_sees(page: Page, line: Line) -> None:
    inset = page.locator("figure .judged .heat")
    expect(inset).to_be_visible()
    expect(page.locator("figure .judged .seen")).to_contain_text(re.compile(r"part-\d+.*: (good|defect) \d+%"))
    page.locator("figure .look").click()
    dialog = page.get_by_role("dialog")
    for view, alt in {
        "Heat map": "last judged picture of conveyor under its heat map",
        "Motion": "what the motion gate of conveyor sees",
        "Picture": "newest picture of conveyor",
    }.items():
        dialog.get_by_role("button", name=view, exact=True).click()
        picture = dialog.get_by_alt_text(alt)
        expect(picture).to_be_visible()
        assert picture.evaluate(SHOWN) > 50
        # The whole of it: nothing is cut off by what it stands in.
        assert picture.evaluate("image => image.offsetHeight <= image.parentElement.clientHeight")
    expect(dialog.locator(".chart .limit")).to_have_count(1)
    # By slider and button, through edgeHub to the camera and back.
    dialog.get_by_label("Threshold").fill("30")
    dialog.get_by_label("Your name").fill("Ada")
    dialog.get_by_role("button", name="Set threshold").click()
    page.get_by_label("Token").fill(next(line.state.rglob("tokens/operate")).read_text().strip())
    page.keyboard.press("Enter")
    page.get_by_text("The camera now uses 30.").wait_for()
    expect(dialog.locator(".facts")).to_contain_text("30 set")
