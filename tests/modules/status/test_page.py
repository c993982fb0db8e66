"""The page in a real browser: what it shows of what modules say, and what a person does there."""

import re
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from playwright.async_api import Page, Route, expect

from tests.modules.status.browser import Browse, needs_chromium, show, show_sensors
from tests.modules.status.conftest import JPEG

if TYPE_CHECKING:
    from tests.modules.status.conftest import Line

pytestmark = needs_chromium
LEVEL = "data-level"


def test_a_person_sees_what_is_wrong_and_takes_care_of_it(browse: Browse) -> None:
    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("vibration")
        line.heartbeat("camera", facts={"cameras": {"line1": {"state": "ok", "frames": 9, "sent": 4}}})
        await expect(page.locator("body")).to_have_attribute(LEVEL, "ok")
        message = line.alert()
        await expect(page.locator("body")).to_have_attribute(LEVEL, "stop")
        await expect(page.locator("#state")).to_have_text("Act now")
        await expect(page.locator("h1")).to_have_text("press3/vibration\u2011velocity")
        await expect(page.locator("#reasons")).to_contain_text(
            "reached 81% of its limit (8.10 mm/s) — immediate shutdown"
        )
        await expect(page.locator(".tile .spark .curve").first).to_be_attached()
        await expect(page.locator("figure .look img")).to_be_visible()
        assert await page.evaluate("document.querySelector('figure .look img').decode().then(() => true)")
        await expect(page.locator(".tile[data-state=fail] .value")).to_have_text("8.10 mm/s · 81% of limit · critical")

        # By keyboard alone: to the button, into the dialog, through both forms, and back to the button.
        await page.get_by_role("button", name="Take care: press3").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.get_by_label("Your name").focus()
        await page.keyboard.type("Ada")
        await page.keyboard.press("Tab")
        await page.keyboard.type("bearing ordered")
        await page.keyboard.press("Enter")
        await page.get_by_label("Token").wait_for()
        await page.keyboard.type("wrong")
        await page.keyboard.press("Enter")
        await page.get_by_text("not the right one").wait_for()
        await page.keyboard.type(line.token)
        await page.keyboard.press("Enter")
        await page.get_by_text("Acknowledged.").wait_for()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.get_by_role("button", name="Look: press3")).to_be_focused()
        await expect(page.locator("body")).to_have_attribute(LEVEL, "ok")
        await expect(page.locator("#alert-list .handled")).to_have_text("taken care of by Ada")
        found = await line.get(f"/api/v1/alerts/{message.message_id}")
        assert (found["acknowledged"]["who"], found["acknowledged"]["why"]) == ("Ada", "bearing ordered")

        # Who logged in is not asked again.
        await page.locator("#alert-list .open").click()
        await page.get_by_role("button", name="False alarm").click()
        await page.get_by_text("Your verdict is kept").wait_for()
        await page.get_by_role("button", name="Resolve").click()
        await page.get_by_text("Resolved.").wait_for()
        found = await line.get(f"/api/v1/alerts/{message.message_id}")
        assert (found["verdict"]["verdict"], found["resolved"]["who"]) == ("false", "Ada")

    browse(part)


NASTY = "<img src=x onerror=document.title=1>"


def test_what_modules_say_is_text_and_never_markup(browse: Browse) -> None:
    async def part(line: "Line", page: Page) -> None:
        line.heartbeat(NASTY, text=f"<b>bold</b>{NASTY}", version=NASTY)
        line.heartbeat("vibration")
        line.heartbeat("camera", facts={"cameras": {NASTY: {"state": "dead", "trouble": NASTY, "item": NASTY}}})
        line.heartbeat("cache", facts={"depth": 1, "dropped": {NASTY: 3}, "link": NASTY})
        sensor = {"source": f"a/{NASTY}", "value": 1.0, "unit": NASTY, "state": "critical"}
        show_sensors(line, [sensor])
        line.alert(source=NASTY, text=NASTY, rule=NASTY, label=NASTY, item=NASTY, advice=NASTY, unit=NASTY)
        await page.locator("#alert-list .open", has_text="<img").wait_for()
        await page.locator("#modules", has_text="<b>bold</b>").wait_for()
        await page.locator(".tile", has_text="<img").wait_for()
        await page.locator("figcaption", has_text="<img").wait_for()
        await page.locator("#queue", has_text="<img").wait_for()
        await page.locator("#alert-list .open").click()
        await page.get_by_role("dialog").get_by_text("Severity").wait_for()
        assert await page.evaluate("document.querySelectorAll('img[src=x], td b b, #modules script').length") == 0
        assert await page.title() != "1"

    browse(part)


def test_what_is_old_never_looks_like_all_right(browse: Browse) -> None:
    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("vibration")
        await expect(page.locator("body")).to_have_attribute(LEVEL, "ok")
        # The connection breaks: said at once, and mended with what was missed.
        await page.context.set_offline(True)
        line.module.events.close()
        await expect(page.locator("h1")).to_have_text("No connection to the gateway")
        await expect(page.locator("body")).to_have_class("stale")
        line.alert(source="press9/missed")
        await page.context.set_offline(False)
        await expect(page.locator("body")).to_have_attribute(LEVEL, "stop")
        await expect(page.locator("body")).not_to_have_class("stale")
        await expect(page.locator("#alert-list")).to_contain_text("press9/missed")
        # It stands, and nothing comes.
        line.module.events.tell = lambda *_arguments, **_more: None  # type: ignore[method-assign]
        await expect(page.locator("h1")).to_have_text("No word from the gateway")
        await expect(page.locator("body")).to_have_attribute(LEVEL, "unknown")
        await expect(page.locator("body")).to_have_class("stale")
        await expect(page.locator("#reasons")).to_contain_text("sec old")

    browse(part)


def test_what_happens_while_a_list_is_on_its_way_is_on_it(browse: Browse) -> None:
    async def hold_up(line: "Line", page: Page) -> None:
        async def answer(route: Route) -> None:
            old = await route.fetch()  # as things stood when it was asked for
            line.alert(source="press9/meanwhile")
            await page.locator("#alert-list .alert", has_text="press9/meanwhile").wait_for()
            await route.fulfill(response=old)

        line.alert(source="press1/before")
        await line.settled()
        await page.route("**/api/v1/alerts?*", answer, times=1)

    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("vibration")
        await page.locator("#alert-list .alert", has_text="press1/before").wait_for()
        await expect(page.locator("#alert-list .alert").first).to_contain_text("press9/meanwhile")

    browse(part, before=hold_up)


def test_a_models_verdict_names_the_part_it_is_about(browse: Browse) -> None:
    async def part(line: "Line", page: Page) -> None:
        said = {"n": 1, "item": "part-3", "label": "defect", "ok": False, "probability": 0.98, "heat": True}
        show(line, "last", said)
        line.view.handlers["heatmap"] = lambda _query: ("image/jpeg", JPEG)
        for module in ("inference", "camera"):
            line.heartbeat(module, facts={"cameras": {"line1": {"state": "ok"}}} if module == "camera" else {})
        await expect(page.locator("figure .seen")).to_have_text("part-3: defect 98%")
        await expect(page.get_by_alt_text("where the model found something on part-3")).to_be_visible()
        show(line, "last", said | {"n": 2, "item": "part-4", "label": "ok", "ok": True, "heat": True})
        await expect(page.locator("figure .seen")).to_have_text("part-4: good 98%")
        await expect(page.get_by_alt_text("the picture of part-4 as it was judged")).to_have_attribute(
            "src", re.compile("of=2$")
        )

    browse(part)


def brightest(coded: bytes) -> int:
    image = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return int(image.max())


def test_between_two_pictures_of_a_camera_there_is_no_blank(browse: Browse) -> None:
    """Where pictures were decoded beside the page, a blank was painted between two of them, often enough to be seen."""
    coded = cv2.imencode(".jpg", np.random.default_rng(1).integers(120, 250, (768, 1024, 3), np.uint8))[1].tobytes()
    quickly = "image => setInterval(() => { image.src = image.src.replace(/at=.*|$/, `at=${performance.now()}`); }, 60)"

    async def part(line: "Line", page: Page) -> None:
        line.view.handlers["picture"] = lambda _query: ("image/jpeg", coded)
        line.heartbeat("camera", facts={"cameras": {"line1": {"state": "ok"}}})
        image = page.locator("figure .look img")
        await expect(image).to_have_attribute("src", re.compile("at="))
        await image.evaluate(quickly)
        await image.scroll_into_view_if_needed()
        box = await image.bounding_box()
        assert box is not None
        middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "width": 40, "height": 30}
        shots = [await page.screenshot(clip=middle) for _ in range(60)]  # type: ignore[arg-type]
        assert [place for place, shot in enumerate(shots) if brightest(shot) < 100] == []

    browse(part)


def test_figures_behind_an_alert_and_in_the_queue_have_names(browse: Browse) -> None:
    rows = [{"priority": 0, "depth": 3, "bytes": 900, "oldest_age_s": 90.0}, {"priority": 1, "depth": 0, "bytes": 0}]

    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("cache", facts={"depth": 3, "bytes": 900, "priorities": rows})
        line.alert(rule="impacts", state="cleared", severity="info", unit=None)
        line.alert(source="motor2", evidence={"votes": 4, "of": 5, "not_ok": 0.63, "inner race": 2.5, "own_figure": 7})
        waiting = page.locator(".waiting tbody tr")
        await expect(waiting).to_have_text([re.compile(r"Alerts\s*3\s*900\sB\s*90 sec"), re.compile(r"Aggregates\s*0")])
        await expect(page.locator("#alert-list")).to_contain_text("The finding has ended: impacts in the vibration.")
        await page.locator("#alert-list .open", has_text="motor2").click()
        facts = page.get_by_role("dialog").locator(".facts")
        for figure in ("Votes4 of 5", "Not OK63%", "inner race2.5", "own_figure7"):
            await expect(facts.locator("div", has_text=figure)).to_have_count(1)

    browse(part)


def test_a_person_tunes_the_gate_by_eye(browse: Browse, transport: Any) -> None:
    gate = {"threshold": 12.0, "automatic": True, "noise": 2.0, "min_area": 0.004, "areas": [], "calibrated": True}

    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("camera", facts={"cameras": {"line1": {"state": "ok"}}})
        show(line, "gate", gate)
        await page.locator(".look").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Motion").click()
        picture = dialog.get_by_alt_text("what the motion gate of line1 sees")
        await expect(picture).to_have_attribute("src", re.compile(r"/gate\.jpg"))
        await expect(dialog.locator(".facts")).to_contain_text("12 found by itself")
        await dialog.get_by_label("Threshold").fill("40")
        await dialog.get_by_label("Your name").fill("Ada")
        await dialog.get_by_role("button", name="Set threshold").click()
        await page.get_by_label("Token").fill(line.token)
        await page.keyboard.press("Enter")
        await page.get_by_text("The threshold is on its way").wait_for()
        # What was set stays on the slider until the camera says that it is in force, whatever else it says before.
        show(line, "gate", gate | {"noise": 3.25})
        await expect(dialog.locator(".facts")).to_contain_text("3.25")
        await expect(dialog.locator("output")).to_have_text("40")
        show(line, "gate", gate | {"threshold": 40.0, "automatic": False})
        await page.get_by_text("The camera now uses 40.").wait_for()
        await expect(dialog.locator(".facts")).to_contain_text("40 set")
        await dialog.get_by_role("button", name="Take back").click()
        await page.get_by_text("is being taken back").wait_for()
        show(line, "gate", gate)
        await expect(dialog.locator("output")).to_have_text("12")
        said = [each.document() for each in transport.outputs("commands")]
        assert [(each["verb"], each["source"], each["threshold"], each["who"]) for each in said] == [
            ("setThreshold", "line1", 40, "Ada"),
            ("setThreshold", "line1", None, "Ada"),
        ]

    browse(part)


def test_a_shifts_alerts_are_read_page_by_page(browse: Browse) -> None:
    async def before(line: "Line", _page: Page) -> None:
        for number in range(120):
            line.alert(source=f"hall/press{number:03}", severity="warning" if number % 2 else "critical")
        await line.settled()

    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("vibration")
        rows = page.locator("#alert-list .alert")
        await expect(rows).to_have_count(50)
        await expect(rows.first).to_contain_text("hall/press119")
        await expect(page.locator("#reasons")).to_contain_text("and 117 more")
        older = page.get_by_role("button", name="Older alerts")
        await older.click()
        await expect(rows).to_have_count(100)
        # What comes meanwhile is at the top, and turns no page.
        line.alert(source="hall/new")
        await expect(rows.first).to_contain_text("hall/new")
        await older.click()
        await expect(rows).to_have_count(121)
        await expect(older).to_be_hidden()
        await page.get_by_label("Severity", exact=True).select_option("warning")
        await expect(rows).to_have_count(50)
        await page.get_by_label("Source begins with").fill("hall/press11")
        await expect(rows).to_have_count(5)

    browse(part, before=before)


def test_ten_thousand_sensors_are_shown_a_page_at_a_time(browse: Browse) -> None:
    sensors = [
        {"source": f"hall{n // 100}/sensor-{n}", "value": float(n), "unit": "Cel", "state": "normal"}
        for n in range(10_000)
    ]

    async def part(line: "Line", page: Page) -> None:
        line.heartbeat("vibration")
        show_sensors(line, sensors)
        await expect(page.locator("#sensors-count")).to_have_text("10,000")
        await expect(page.locator(".tile")).to_have_count(24)
        await page.get_by_role("button", name="Next").click()
        await expect(page.locator("#sensors-place")).to_have_text("25 to 48 of 10,000")
        await expect(page.locator(".tile").first).to_contain_text("sensor-24")
        await page.get_by_label("Name contains").fill("sensor-9999")
        await expect(page.locator(".tile")).to_have_count(1)
        await page.get_by_label("Name contains").fill("nothing like it")
        await page.get_by_text("No sensor is called like that.").wait_for()

    browse(part)
