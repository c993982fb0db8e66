"""What a person sees while localhub runs: a live table on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import json
import sys
from collections import deque
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TextIO

from localhub.overview import Overview, Row, duration, size

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

HIGHLIGHTS = 6
PLAIN_EVERY_S = 5.0
LIVE_EVERY_S = 1.0


class Screen(Protocol):
    """Where the moments go."""

    every_s: float

    def show(self, now: Overview) -> None:
        """Show one moment."""

    def highlight(self, line: str) -> None:
        """A message that localhub.toml asked to be shown, in one line."""

    def say(self, text: str) -> None:
        """One line for the person."""

    def close(self) -> None:
        """Leave the terminal as it should be left."""


class Form(StrEnum):
    """How a run is shown."""

    AUTO = "auto"  # live on a terminal, plain elsewhere
    PLAIN = "plain"
    JSON = "json"


def screen_for(stream: TextIO, form: Form, page: str | None) -> Screen:
    """The screen for where the output goes."""
    if form is Form.JSON:
        return JsonScreen(stream)
    if form is Form.PLAIN or not stream.isatty():
        return PlainScreen(stream)
    return LiveScreen(page)


class JsonScreen:
    """One JSON document a line: {"moment": ...}, {"highlight": ...} or {"text": ...}."""

    every_s = PLAIN_EVERY_S

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, now: Overview) -> None:
        """The moment, with its reduction."""
        self._print({"moment": {**asdict(now), "reduction": now.reduction}})

    def highlight(self, line: str) -> None:
        """The line."""
        self._print({"highlight": line})

    def say(self, text: str) -> None:
        """The text."""
        self._print({"text": text})

    def close(self) -> None:
        """Nothing to undo."""

    def _print(self, document: dict[str, object]) -> None:
        print(json.dumps(document), file=self._stream, flush=True)


class PlainScreen:
    """One line a moment, for logs and pipes."""

    every_s = PLAIN_EVERY_S

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def show(self, now: Overview) -> None:
        """One line."""
        self.say(plain_line(now))

    def highlight(self, line: str) -> None:
        """The line."""
        self.say(line)

    def say(self, text: str) -> None:
        """The text."""
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing to undo."""


class LiveScreen:
    """A table that stays in place; what is said scrolls above it."""

    every_s = LIVE_EVERY_S

    def __init__(self, page: str | None) -> None:
        self._page = page
        self._highlights: deque[str] = deque(maxlen=HIGHLIGHTS)
        self._live: Live | None = None

    def show(self, now: Overview) -> None:
        """Redraw."""
        from rich.live import Live  # noqa: PLC0415  a tenth of a second that the processes need first

        if self._live is None:
            self._live = Live(auto_refresh=False)
            self._live.start()
        self._live.update(live_table(now, list(self._highlights), self._page), refresh=True)

    def highlight(self, line: str) -> None:
        """Kept for the next redraw."""
        self._highlights.append(line)

    def say(self, text: str) -> None:
        """Above the table."""
        if self._live is None:
            print(text, file=sys.stdout, flush=True)  # noqa: T201  the screen before there is a table
        else:
            self._live.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """The last table stays on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def plain_line(now: Overview) -> str:
    """A moment in one line."""
    up = sum(row.state == "running" for row in now.rows if not row.leaf)
    total = sum(not row.leaf for row in now.rows)
    rate = sum(row.sent_per_s for row in now.rows)
    return (
        f"{duration(now.uptime_s)}: {up}/{total} modules run, {rate:.0f} messages/s, in {size(now.bytes_in)}, "
        f"up {size(now.bytes_up)}{_reduction(now)}, link {now.link}, queued {now.queued} ({now.queued_up} up), "
        f"arrived {now.arrivals}{_troubles(now)}"
    )


def live_table(now: Overview, highlights: list[str], page: str | None) -> RenderableType:
    """A moment as a table with what belongs round it."""
    from rich import box  # noqa: PLC0415  see LiveScreen.show
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("module")
    table.add_column("state")
    for title in ("cpu %", "memory", "sent/s", "received/s"):
        table.add_column(title, justify="right")
    for row in now.rows:
        table.add_row(
            f"{row.name} (leaf)" if row.leaf else row.name,
            Text(_state(row), style=_style(row)),
            f"{row.cpu_percent:.0f}",
            size(row.rss) if row.rss else "",
            f"{row.sent_per_s:.1f}",
            f"{row.received_per_s:.1f}",
        )
    link = Text(f"link {now.link}", style="green" if now.link == "up" else "bold red")
    if now.latency_ms is not None:
        link.append(f" {now.latency_ms:.1f} ms", style="dim")
    lines: list[RenderableType] = [
        table,
        Text(f"in {size(now.bytes_in)}   up {size(now.bytes_up)}{_reduction(now)}   arrived {now.arrivals}"),
        Text.assemble(link, f"   queued {now.queued}, {now.queued_up} of them for the cloud{_troubles(now)}"),
    ]
    lines += [Text(line, no_wrap=True, overflow="ellipsis", style="yellow") for line in highlights]
    lines.append(Text(f"{f'{page}   ' if page else ''}{duration(now.uptime_s)}   Ctrl-C stops everything", style="dim"))
    return Group(*lines)


def _state(row: Row) -> str:
    restarts = f", {row.restarts} restarts" if row.restarts > 1 else ", 1 restart" if row.restarts else ""
    return f"{'connected' if row.connected and row.state == 'running' else row.state}{restarts}"


def _style(row: Row) -> str:
    if row.state in ("failed", "backoff"):
        return "bold red"
    return "green" if row.connected else "yellow" if row.state == "running" else "dim"


def _reduction(now: Overview) -> str:
    return "" if now.reduction is None else f" ({now.reduction:.2%} of it)"


def _troubles(now: Overview) -> str:
    drops = "".join(f", {count} dropped: {reason}" for reason, count in now.dropped.items() if count)
    down = "".join(f", {name} {state}" for name, state in now.processes.items() if state != "running")
    return drops + down
