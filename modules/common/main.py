"""How every module's process begins and ends."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Final

from modules.common import garbage, logs
from modules.common.settings import SettingsError
from modules.common.transport import EnvironmentMissingError

log = logging.getLogger(__name__)

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_ENVIRONMENT: Final = 2
"""Nothing that a restart could mend: not started by IoT Edge, or settings in the environment that make no sense."""

SWITCH_S: Final = 0.0001
"""How long the event loop may keep the SDK's threads waiting. paho takes a packet in with half a dozen system calls,
and has to ask for the interpreter after each: at the default of 5 ms an alert may need 30 ms past a busy event loop."""
_LAST_SECONDS: Final = 2.0


def run_module(start: Callable[[], Awaitable[None]]) -> int:
    """Run `start` in an event loop (uvloop where it has a wheel) and return the process' exit code."""
    logs.set_up()
    sys.setswitchinterval(SWITCH_S)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_whole(start))
    except (EnvironmentMissingError, SettingsError) as error:
        log.critical("%s", error)
        return EXIT_ENVIRONMENT
    except Exception:
        log.critical("stopped by an error", exc_info=True)
        return EXIT_FAILED
    finally:
        _leave_soon()
    return EXIT_OK


async def _whole(start: Callable[[], Awaitable[None]]) -> None:
    watching = asyncio.create_task(garbage.watch())
    try:
        await start()
    finally:
        watching.cancel()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - optional: no wheel on some platforms
    except ImportError:
        return None
    return uvloop.new_event_loop


def _leave_soon() -> None:
    """Everything is committed by now; a thread of the SDK that does not end must not hold up the container's stop."""

    def leave() -> None:
        sys.stdout.flush()
        os._exit(EXIT_FAILED)

    timer = threading.Timer(_LAST_SECONDS, leave)
    timer.daemon = True
    timer.start()
