"""`run`: prepare, start, show, stop. Reads as the story of one localhub."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from localhub import control
from localhub.agent.logs import tail
from localhub.agent.policy import Timings
from localhub.config import ScreenConfig
from localhub.exits import Exit
from localhub.gateways import Gateways
from localhub.highlight import Highlights
from localhub.overview import overview, totals
from localhub.prepare import Options, Prepared, prepare
from localhub.screen import Form, Screen, screen_for
from localhub.supervisor import Supervisor

STOPPED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HIGHLIGHT_AGAIN_S = 1.0
STEADY_S = Timings().steady_s


def run(options: Options, *, form: Form, page: str | None, began: float) -> Exit:
    """Run until Ctrl-C, SIGTERM or `localhub stop`; the exit code. Raises CannotStartError.

    `began` is the moment (time.monotonic) from which a person waits.
    """
    prepared = prepare(options)
    try:
        return asyncio.run(_run(prepared, form=form, page=page or prepared.config.screen.page, began=began))
    finally:
        os.close(prepared.lock)


async def _run(prepared: Prepared, *, form: Form, page: str | None, began: float) -> Exit:
    supervisor = Supervisor(prepared.state, prepared.records, others=lambda: gateways.pids)
    screen = screen_for(sys.stdout, form, page)
    gateways = Gateways(supervisor, screen.say)
    _listen_to_signals(supervisor, gateways)
    logging.basicConfig(handlers=[_ToScreen(screen)], level=logging.INFO)
    for name in prepared.ended:
        screen.say(f"ended {name}, left by an earlier run")
    for warning in prepared.warnings:
        screen.say(warning)
    try:
        await supervisor.start()
        _greet(screen, prepared, page, time.monotonic() - began)
        await _show_until_stopped(supervisor, gateways, screen, prepared.config.screen)
        screen.close()
        screen.say("stopping: leaf devices, modules, then hub and cloud (Ctrl-C again: at once)")
        _, last = await asyncio.gather(gateways.stop_modules(), _last_figures(supervisor))
        for line in totals(overview(last)):
            screen.say(line)
    finally:
        screen.close()
        await asyncio.gather(gateways.stop(), supervisor.stop())
        prepared.state.remove_run_folder()
    return Exit.OK


async def _last_figures(supervisor: Supervisor) -> dict[str, Any]:
    """Stop the modules; what the agent said before, and hub and cloud after, the last message."""
    modules = (await supervisor.status())["agent"]
    await supervisor.stop_modules()
    return await supervisor.status() | {"agent": modules}


class _ToScreen(logging.Handler):
    """What is logged here is said, so that it does not tear the table."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.say(record.getMessage())


async def _show_until_stopped(supervisor: Supervisor, gateways: Gateways, screen: Screen, config: ScreenConfig) -> None:
    """Redraw at the screen's pace until somebody asks to stop."""
    async with supervisor.serving(*gateways.routes()):
        resuming = asyncio.create_task(gateways.resume())
        watching = (
            asyncio.create_task(_highlight(supervisor, screen, config.highlight, config.line))
            if config.highlight
            else None
        )
        failed: set[str] = set()
        try:
            while not supervisor.stopping.is_set():
                status = await supervisor.status()
                _explain_failures(supervisor, screen, status, failed)
                screen.show(overview(status))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(screen.every_s):
                        await supervisor.stopping.wait()
        finally:
            for task in filter(None, (watching, resuming)):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def _highlight(supervisor: Supervisor, screen: Screen, condition: str, line: str | None) -> None:
    """Show the messages that meet the condition, over restarts of the hub."""
    highlights = Highlights(line)
    hub = control.AsyncClient(supervisor.state.hub_socket)
    while True:
        try:
            async for message in hub.stream("/watch", pattern="*", where=condition):
                if text := highlights.line(message):
                    screen.highlight(text)
        except control.ControlError as error:
            screen.say(f"highlight {condition!r} of localhub.toml: {error}")
            return
        except control.NotRunningError:
            pass  # the hub restarts
        await asyncio.sleep(HIGHLIGHT_AGAIN_S)


def _explain_failures(supervisor: Supervisor, screen: Screen, status: dict[str, Any], known: set[str]) -> None:
    """Say once, with the end of its log, when a module begins to fail; again only after it has run steadily."""
    units: Sequence[dict[str, Any]] = [
        unit for part in ("modules", "leaves") for unit in (status.get("agent") or {}).get(part, [])
    ]
    for unit in units:
        name, failing = unit["name"], unit["state"] in ("failed", "backoff")
        if failing and name not in known:
            known.add(name)
            screen.say(f"{name} ended with exit code {unit['exit_code']}: python -m localhub logs {name}")
            for line in tail(supervisor.state.log(name), 3):
                screen.say(f"    {line}")
        elif name in known and unit["state"] == "running" and _age_s(unit["started"]) > STEADY_S:
            known.discard(name)


def _age_s(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def _greet(screen: Screen, prepared: Prepared, page: str | None, seconds: float) -> None:
    state = prepared.state
    screen.say(
        f"localhub is up after {seconds:.1f} s: {state.gateway} at {state.address}:8883 "
        f"(metrics :{state.metrics_port}), state {state.root}"
    )
    if state.strict:
        screen.say("strict: it does as edgeHub does, with its waits and its losses")
    if page:
        screen.say(f"page: {page}")


def _listen_to_signals(supervisor: Supervisor, gateways: Gateways) -> None:
    """The first signal asks to stop, the second does not ask."""

    def stop() -> None:
        if supervisor.stopping.is_set():
            supervisor.kill()
            gateways.kill()
        supervisor.stopping.set()

    for number in STOPPED_BY:
        asyncio.get_running_loop().add_signal_handler(number, stop)
