"""The line's state as text, for a terminal: what the page's first screen says. Pure but for `watch`.

Plain ANSI: over ssh any terminal does, and a library for it would weigh more than the whole module.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

from modules.status.client import Client, UnreachableError

_EVERY_S: Final = 2.0
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_COLOURS: Final = {
    "ok": "32", "up": "32", "running": "32",
    "warn": "33", "warning": "33", "slow": "33", "unknown": "33",
    "stop": "1;37;41", "fail": "31", "silent": "31", "down": "31", "critical": "31", "stopped": "31",
}  # fmt: skip
_WORDS: Final = {"ok": "OK", "warn": "LOOK", "stop": "ACT NOW", "unknown": "UNKNOWN"}


class Painter:
    """Colours where they are wanted; what modules say cannot move the cursor."""

    def __init__(self, *, colours: bool, width: int) -> None:
        self._colours = colours
        self.width = max(40, width)

    def paint(self, text: str, name: str) -> str:
        """`text` in the colour of a state."""
        code = _COLOURS.get(name)
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours and code else text

    def row(self, cells: Sequence[tuple[object, int]], state: str = "", shown: int = -1) -> str:
        """Cells of (value, width), cut and filled; the cell numbered `shown` in the colour of `state`."""
        parts = []
        for number, (value, width) in enumerate(cells):
            text = plain(value)[:width].ljust(width)
            parts.append(self.paint(text, state) if number == shown else text)
        return "  ".join(parts).rstrip()


def plain(value: object) -> str:
    """A value as one line without control characters."""
    return _CONTROL.sub(" ", "" if value is None else str(value))


def render(summary: Mapping[str, Any], painter: Painter) -> str:
    """The screen."""
    line, queue = summary["line"], summary["queue"]
    level = painter.paint(f" {_WORDS[line['level']]} ", line["level"])
    lines = [f"{level}  {plain(line['headline'])[: painter.width - 12]}"]
    lines += [f"  {plain(each)}"[: painter.width] for each in line["details"][:5]]
    lines += ["", *_links(summary, painter), _queue(queue), ""]
    lines += _modules(summary["modules"], painter)
    if line["active"]:
        lines += ["", *_active(line["active"], painter)]
    if not summary["agent"]["heard"]:
        lines += ["", f"no figures of containers: {plain(summary['agent']['text'])}"]
    return "\n".join(lines) + "\n"


def _links(summary: Mapping[str, Any], painter: Painter) -> list[str]:
    return [
        f"{plain(name)} {painter.paint(plain(each['state']), each['state'])} for {duration(each['seconds'])}"
        for name, each in sorted(summary["link"].items())
    ]


def _queue(queue: Mapping[str, Any]) -> str:
    if not queue["known"]:
        return "queue: the cache has not reported"
    parts = [f"queue: {queue['depth']} records, {size(queue['bytes'])}, oldest {duration(queue['oldest_s'])}"]
    if (ago := queue.get("confirmed_ago_s")) is not None:
        parts.append(f"last confirmed delivery {duration(ago)} ago")
    if (left := queue.get("hours_left")) is not None:
        parts.append(f"{left:.1f} h of outage left")
    if dropped := sum((queue.get("dropped") or {}).values()):
        parts.append(f"{dropped} dropped")
    return "; ".join(parts)


def _modules(modules: Sequence[Mapping[str, Any]], painter: Painter) -> list[str]:
    widths = (14, 8, 9, 7, 9, 8, 8, 8)
    heads = ("module", "state", "version", "cpu %", "memory", "restarts", "in/s", "out/s")
    rows = [painter.row([*zip(heads, widths, strict=True), ("says", painter.width - 86)])]
    for each in modules:
        container = each["container"] or {}
        cpu = container.get("cpu_percent")
        cpu = round(each["cpu_share"] * 100, 1) if cpu is None and each["cpu_share"] is not None else cpu
        memory = container.get("memory_bytes") or each["rss_bytes"]
        rates = each["rates"]
        cells = [
            each["name"], each["state"], each["version"], cpu, size(memory) if memory else "",
            container.get("restarts"), rates.get("received"), rates.get("sent"),
        ]  # fmt: skip
        table = [*zip(cells, widths, strict=True), (each["text"], max(8, painter.width - 86))]
        rows.append(painter.row(table, each["state"], 1))
    return rows


def _active(active: Sequence[Mapping[str, Any]], painter: Painter) -> list[str]:
    rows = []
    for each in active[:15]:
        taken = "taken care of" if each["acknowledged"] else ""
        age = duration(max(0.0, time.time() - each["since"]))
        cells = [(each["severity"], 8), (age, 7), (each["source"], 28), (each["text"], max(10, painter.width - 66))]
        rows.append(painter.row([*cells, (taken, 14)], each["severity"], 0))
    return rows


def size(value: float) -> str:
    """Bytes for a person."""
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds for a person."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def watch(client: Client, out: TextIO = sys.stdout, *, colours: bool, once: bool) -> None:
    """Print the state, again and again unless `once`. Raises UnreachableError at once; later it is shown and waited."""
    said = client.json("/api/v1/summary")
    while True:
        painter = Painter(colours=colours, width=shutil.get_terminal_size((120, 40)).columns)
        text = render(said, painter)
        if once:
            out.write(text)
            return
        # From the top, each line cleared to its end, then what is below: no flicker, and nothing of before is left.
        out.write("\x1b[H" + text.replace("\n", "\x1b[K\n") + "\x1b[J")
        out.flush()
        time.sleep(_EVERY_S)
        try:
            said = client.json("/api/v1/summary")
        except UnreachableError as error:
            said = said | {"line": {"level": "unknown", "headline": f"{error}", "details": [], "active": []}}
