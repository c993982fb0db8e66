"""Two modules for test_hub.py, run by localhub: `sender` sends, `receiver` writes down what it does, over its lives."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from modules.common.edge import Edge
from modules.common.main import run_module
from modules.common.messages import Message, json_message
from modules.common.sdk import SdkTransport
from modules.common.settings import Settings


class ProbeSettings(Settings):
    """Over the environment (MILLWATCH_COUNT, ...) and the twin."""

    count: int = 20
    hold_first_s: float = 0.0
    token_ttl_s: int = 3600


STORY = Path(os.environ["STORY"])


def note(text: str) -> None:
    """One line in the story, on disk whatever happens next."""
    story = os.open(STORY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(story, f"{text}\n".encode())
    os.close(story)


def told() -> list[str]:
    """The story so far."""
    return STORY.read_text().splitlines()


async def send() -> None:
    """Send numbered messages, each when the one before is stored, then wait to be stopped."""
    edge = Edge("sender", ProbeSettings)

    async def work() -> None:
        for number in range(edge.settings.count):
            await edge.send(
                "out",
                json_message(
                    {"number": number},
                    kind="window",
                    source="probe",
                    seq=number,
                    time=datetime.now(UTC),
                    message_id=f"message-{number}",
                ),
            )
            note(f"sent {number}")
        await edge.stopping.wait()

    edge.background("work", work)
    await edge.run()


async def receive() -> None:
    """Handle messages; the first is held for a while when it comes for the first time."""
    settings = ProbeSettings.from_environment()
    edge = Edge("receiver", ProbeSettings, transport=SdkTransport(sastoken_ttl=settings.token_ttl_s))

    async def handle(message: Message) -> None:
        note(f"begin {message.seq}")
        if told().count("begin 0") == 1:
            await asyncio.sleep(settings.hold_first_s)
        note(f"end {message.seq}")

    edge.on_input("in", handle)
    await edge.run()


async def report() -> None:
    """Report what no twin takes, then what one does."""
    edge = Edge("reporter", ProbeSettings)

    async def work() -> None:
        await edge.report({"a name": 1})
        note(f"refused {edge.metrics.total(edge.metrics.refused):g}")
        await edge.report({"name": 2})
        await edge.stopping.wait()

    edge.background("work", work)
    await edge.run()


if __name__ == "__main__":
    sys.exit(run_module({"sender": send, "receiver": receive, "reporter": report}[sys.argv[1]]))
