"""The page for everyone: axe-core in light and dark with each dialog open, languages, phones, long names."""

import re
from typing import TYPE_CHECKING, Any, Literal

import orjson
from playwright.async_api import Locator, Page, Route, expect

from tests.modules.status.browser import Browse, needs_chromium, show, show_sensors, violations
from tests.modules.status.test_words import catalogue

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line

pytestmark = needs_chromium
LONG = "hall-7/line-3/press-12/gearbox-output-shaft/drive-end-bearing/radial-horizontal-acceleration-envelope"


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SPECTRUM = {
    "source": LONG,
    "unit": "m/s2",
    "fs_hz": 12_000.0,
    "resolution_hz": 3.0,
    "step_hz": 15.0,
    "amplitude": [0.01, 0.02, 0.5] * 133,
    "speed_hz": 29.5,
    "speed_estimated": True,
    "orders": {"BPFO": 105.7, "BPFI": 159.9, "2xBSF": 139.1, "FTF": 11.7},
    "envelope": {
        "resolution_hz": 1.5,
        "step_hz": 1.5,
        "first_hz": 3.0,
        "amplitude": [0.1, 0.2, 0.05] * 120,
        "band_hz": [2000.0, 4000.0],
    },
}
GATE = {
    "threshold": 18.0,
    "noise": 2.1,
    "min_area": 0.002,
    "areas": [[second, second % 7 / 500] for second in range(120)],
    "calibrated": True,
    "triggers": 4,
    "regions": [],
    "masks": [],
}


async def busy(line: "Line") -> None:
    """Something on every card."""
    wave = {
        "source": LONG,
        "kind": "waveform",
        "unit": "m/s2",
        "waveform": {"step_s": 0.01, "values": [0.1, -0.2] * 99},
    }
    views: dict[str, Any] = {
        "sensor": wave | {"orders": {"outer race": 12.5}, "state": "warning"},
        "spectrum": SPECTRUM,
        "gate": GATE,
    }
    for name, document in views.items():
        show(line, name, document)
    line.heartbeat("vibration", settings={"version": 2, "ok": False, "error": "limit: must be above 0", "local": 2})
    line.heartbeat("inference", facts={"models": {"bearing": {"state": "ok", "version": "1.0.0", "precision": "int8"}}})
    line.heartbeat(
        "cache", facts={"depth": 12, "bytes": 4096, "link": "up", "outage_hours_left": 30.5, "dropped": {"evicted": 2}}
    )
    line.heartbeat(
        "camera", state="warn", text="line2 is dark", facts={"cameras": {"line1": {"state": "ok", "item": "part-3"}}}
    )
    line.alert()
    line.alert(source=LONG, severity="warning")
    line.alert(source="camera/line1", rule="tile", item="part-3", label="defect", probability=0.98, severity="warning")
    show_sensors(
        line,
        [
            {"source": LONG, "value": 0.4, "unit": "m/s2", "state": "warning", "kind": "waveform"},
            {"source": "press3/vibration-velocity", "value": 0.0081, "limit": 0.01, "unit": "m/s", "state": "critical"},
            {"source": "press1/temperature", "value": 48.2, "limit": 130.0, "unit": "Cel", "state": "normal"},
        ],
    )


async def shown(page: Page) -> None:
    """What `busy` told is on the page."""
    await expect(page.locator("body")).to_have_attribute("data-level", "stop")
    await expect(page.locator("#alert-list .alert")).to_have_count(3)
    await expect(page.locator(".tile")).to_have_count(3)


def dialogs(page: Page) -> list[tuple[str, Locator, Locator]]:
    """Each dialog: what opens it, and what shows that all of it is there."""
    dialog = page.get_by_role("dialog")
    return [
        ("alert", page.locator(".holding button").first, dialog.locator(".judging")),
        ("sensor", page.locator(".tile", has_text="gearbox").locator(".open"), dialog.locator(".orders")),
        ("camera", page.locator(".look"), dialog.locator(".tuner .chart")),
    ]


def test_axe_finds_nothing_wrong_with_the_page_and_its_dialogs(browse: Browse) -> None:
    async def part(line: "Line", page: Page) -> None:
        await busy(line)
        await shown(page)
        found: dict[str, list[str]] = {}
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            await expect(page.locator("html")).to_have_attribute("data-theme", scheme)
            dark = scheme == "dark"  # differs from light in its colours alone
            found[f"{scheme} page"] = await violations(page, colours_only=dark)
            for name, opener, sign in dialogs(page):
                await opener.click()
                await sign.wait_for()
                found[f"{scheme} {name}"] = await violations(page, colours_only=dark)
                if name == "alert":
                    await page.get_by_label("Your name").fill("Ada")
                    await page.keyboard.press("Enter")
                    await page.get_by_label("Token").wait_for()
                    found[f"{scheme} token"] = await violations(page, colours_only=dark)
                    await page.keyboard.press("Escape")
                    await page.get_by_label("Token").wait_for(state="detached")
                await page.keyboard.press("Escape")
                await expect(page.get_by_role("dialog")).to_have_count(0)
        line.module.events.close()
        await page.context.set_offline(True)
        await expect(page.locator("body")).to_have_class("stale")
        found["stale"] = await violations(page)
        assert found == {name: [] for name in found}

    browse(part)


def test_no_visible_word_stands_outside_the_catalogues(browse: Browse) -> None:
    """A language whose every word is between brackets: a letter outside them, that no module said, is a fault."""

    def bracketed(value: Any) -> Any:
        if isinstance(value, dict):
            return {form: bracketed(text) for form, text in value.items()}
        return f"⟦{value}⟧"

    invented = orjson.dumps({key: bracketed(value) for key, value in catalogue("en").items()})

    async def invent(_line: "Line", page: Page) -> None:
        async def answer(route: Route) -> None:
            await route.fulfill(body=invented, content_type="application/json")

        await page.route("**/words/en.json", answer)

    async def part(line: "Line", page: Page) -> None:
        await busy(line)
        await shown(page)
        foreign = await stray(page)
        for _, opener, sign in dialogs(page):
            await opener.click()
            await sign.wait_for()
            foreign += await stray(page)
            await page.keyboard.press("Escape")
        assert foreign == []

    browse(part, before=invent)


STRAY = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (!parent.closest('[translate=no], time, [lang]:not(html), svg')) found.push(walk.currentNode.textContent);
  }
  for (const each of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]')) {
    if (each.closest('[translate=no], time')) continue;
    found.push(...['aria-label', 'placeholder', 'alt'].map((name) => each.getAttribute(name)).filter(Boolean));
  }
  return found;
}"""


async def stray(page: Page) -> list[str]:
    texts: list[str] = await page.evaluate(STRAY)
    outside = [(text, re.sub(r"⟦[^⟦⟧]*(?:⟦[^⟦⟧]*⟧[^⟦⟧]*)*⟧", "", text)) for text in texts]
    return [text for text, rest in outside if re.search(r"[^\W\d_]{2,}", rest) and "/" not in rest]


def test_the_language_is_the_browsers_until_one_is_chosen(browse: Browse) -> None:
    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("vibration")
        line.alert()
        await expect(page.locator("#state")).to_have_text("Jetzt handeln")
        await expect(page.locator("#reasons")).to_contain_text(
            "hat 81 % des Grenzwerts erreicht (8,10 mm/s) — sofort abschalten"
        )
        await expect(page.locator("html")).to_have_attribute("lang", "de")
        await page.get_by_label("Sprache").select_option("es")
        await expect(page.locator("#state")).to_have_text("Actuar ya")
        await expect(page.get_by_role("button", name="Atender: press3")).to_be_visible()
        await page.reload()
        await expect(page.locator("#state")).to_have_text("Actuar ya")
        time = page.locator("#alert-list time")
        await expect(time).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ UTC$"))
        await page.get_by_label("Colores").select_option("dark")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await page.reload()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    browse(part, locale="de-AT")


def test_nothing_sticks_out_from_phone_to_wall(browse: Browse) -> None:
    async def part(line: "Line", page: Page) -> None:
        for name in ("No camera has reported", "No alert yet", "No module has reported"):
            await page.get_by_text(name).wait_for()
        assert await overflow(page) == []
        await busy(line)
        await shown(page)
        for width in (360, 800, 1280, 2560):
            await page.set_viewport_size({"width": width, "height": 900})
            assert (width, await overflow(page)) == (width, [])
            for name, opener, sign in dialogs(page):
                await opener.click()
                await sign.wait_for()
                assert (width, name, await overflow(page)) == (width, name, [])
                await page.keyboard.press("Escape")

    browse(part, width=360)


OVERFLOW = """() => {
  const wide = document.documentElement.scrollWidth > innerWidth ? ['the page'] : [];
  for (const each of document.querySelectorAll('.card, .verdict, dialog, .alert, .tile, .pair, header')) {
    if (each.scrollWidth > each.clientWidth + 1) wide.push(each.className + ' ' + each.textContent.slice(0, 80));
  }
  return wide;
}"""


async def overflow(page: Page) -> list[str]:
    found: list[str] = await page.evaluate(OVERFLOW)
    return found
