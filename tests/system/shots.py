"""``python -m tests.system.shots [FOLDER]``: pictures of the page of a running line, to be looked at.

``docs/page.png``, which the README shows, is the first of them: without FOLDER only that one is made, in its place.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from devices.line import ROOT, Line

ADDRESS = "127.31.1.1"
PATIENCE_MS = 120_000


@dataclass(frozen=True)
class Shot:
    """One picture: the window, the reader, and what is clicked first."""

    name: str
    width: int = 1440
    height: int = 900
    scheme: Literal["light", "dark"] = "light"
    locale: str = "en-GB"
    opens: tuple[str, ...] = ()
    whole: bool = False


README = Shot("page", height=1180)
SHOTS = (
    README,
    Shot("whole", whole=True),
    Shot("wall", width=2560, height=1440),
    Shot("wall-dark-spanish", width=2560, height=1440, scheme="dark", locale="es-ES", whole=True),
    Shot("phone", width=360, height=740, whole=True),
    Shot("phone-dark-german", width=360, height=740, scheme="dark", locale="de-DE"),
    Shot("german", locale="de-DE"),
    Shot("dark", scheme="dark", whole=True),
    Shot("alert", opens=(".holding button",)),
    Shot("spectrum", height=1100, opens=(".tile[data-state=warn] .open",)),
    Shot("spectrum-phone-dark", width=360, height=740, scheme="dark", opens=(".tile[data-state=warn] .open",)),
    Shot("tuner", height=1100, opens=(".look", "[data-view=gate]")),
    Shot("heatmap-dark", scheme="dark", opens=(".look", "[data-view=heatmap]")),
)


def take(browser: Browser, address: str, shot: Shot, folder: Path) -> Path:
    """Take one picture of the page at `address`; where it lies."""
    size = {"width": shot.width, "height": shot.height}
    page = browser.new_page(viewport=size, color_scheme=shot.scheme, locale=shot.locale, reduced_motion="reduce")  # type: ignore[arg-type]  # the driver's own dictionary type
    page.goto(address)
    settle(page)
    for selector in shot.opens:
        page.locator(selector).first.click()
        page.wait_for_timeout(2500)
    path = folder / f"{shot.name}.png"
    page.screenshot(path=path, full_page=shot.whole, timeout=PATIENCE_MS)
    page.close()
    return path


def settle(page: Page) -> None:
    """Wait for what the default line gets to within a minute: a bearing's warning, and a defect in a picture."""
    page.locator(".tile[data-state=warn]").first.wait_for(timeout=PATIENCE_MS)
    page.locator(".holding .alert").nth(3).wait_for(timeout=PATIENCE_MS)
    page.locator(".judged[data-ok=false] .heat").first.wait_for()  # a defect, under its heat map
    page.wait_for_timeout(500)


def main(argv: list[str]) -> int:
    """Status 1 where there is no browser."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.shots", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="all pictures, here; without it docs/page.png")
    parser.add_argument("--only", nargs="+", choices=[shot.name for shot in SHOTS], help="only these")
    given = parser.parse_args(argv)
    folder: Path | None = given.folder
    wanted = given.only or ([shot.name for shot in SHOTS] if folder else [README.name])
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("needs chromium (Debian's package)\n")
        return 1
    target = folder or ROOT / "docs"
    target.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="shots-") as state,
        Line(state=Path(state) / "state", address=ADDRESS, log=Path(state) / "said") as line,
        sync_playwright() as playwright,
    ):
        line.wait_ready()
        browser = playwright.chromium.launch(executable_path=chromium)
        for shot in (each for each in SHOTS if each.name in wanted):
            sys.stdout.write(f"{take(browser, f'http://127.0.0.1:{line.page_port}/', shot, target)}\n")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
