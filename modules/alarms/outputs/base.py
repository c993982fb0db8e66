"""The seam between the module and an output: what it is set by, what it does.

An output is one file of this folder, with its library imported at its top, and one line in `KINDS`: nothing of it is
imported before an output of its kind is set. There are two sorts. A **switch** (a pin, a coil, a node) shows a level:
only the newest counts, and it is shown again when the far end has lost it. A **messenger** (a topic, a webhook, mail)
is handed notices one by one; each is sent until the far end has taken it.
"""

from typing import Protocol

from pydantic import Field

from modules.alarms.notice import Event, Notice
from modules.common.field.reach import FieldError
from modules.common.settings import Part


class OutputError(FieldError):
    """The far end did not take it; the text says why, for a person, and names no credentials.

    `refused`: it never will, so that a message is given up after some tries and does not hold up the others.
    """

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


class Switch(Protocol):
    """Something that is on (1) or off (0), or counts where its settings say `counts`."""

    @property
    def remark(self) -> str:
        """What people should know of it beside its state; empty as a rule."""

    async def show(self, level: int) -> None:
        """Make the far end show `level`, and return when it is known that it does. Raises FieldError."""

    async def check(self, level: int) -> None:
        """Raise FieldError unless the far end is there and still shows `level`."""

    async def close(self) -> None:
        """Leave nothing open. Called after each failure, too: `show` begins anew."""


class Messenger(Protocol):
    """Something that takes notices."""

    @property
    def remark(self) -> str:
        """As of a switch."""

    async def send(self, notice: Notice) -> None:
        """Hand a notice over, and return when the far end has taken it. Raises FieldError."""

    async def check(self) -> bool:
        """Raise FieldError when the far end is not there; whether that can be told without sending anything."""

    async def close(self) -> None:
        """Leave nothing open. Called after each failure, too: `send` begins anew."""


class OutputSettings(Part):
    """What every output is set by. A kind's own settings derive from one of the two below."""

    type: str
    patience_s: float = Field(
        5.0, ge=0.1, le=60, title="Patience", description="seconds for one try; then it has failed"
    )
    retry_s: float = Field(30.0, ge=0.1, le=3600, title="Longest wait between two tries")
    look_s: float = Field(
        10.0, ge=0.1, le=3600, title="Look every", description="seconds between two looks whether all is still well"
    )


class SwitchSettings(OutputSettings):
    """A switch."""

    retry_s: float = Field(2.0, ge=0.1, le=3600, title="Longest wait between two tries")

    @property
    def counts(self) -> bool:
        """Whether it can show numbers up to 65,535: a heartbeat that counts."""
        return False

    @property
    def drops(self) -> bool:
        """Whether the far end, as set, can notice that the gateway is gone: fit for a watchdog."""
        return True

    def make(self) -> Switch:
        """The switch. Opens nothing yet."""
        raise NotImplementedError


class MessengerSettings(OutputSettings):
    """A messenger."""

    tell: tuple[Event, ...] = Field(
        ("begun", "ended"), title="Tell", description="events that are sent; a test always is", min_length=1
    )
    most_waiting: int = Field(
        200, ge=1, le=5000, title="Most that wait", description="notices; then the oldest are dropped and counted"
    )
    give_up_s: float = Field(
        86_400.0, ge=1, le=2_592_000, title="Give up after", description="seconds that a notice may wait"
    )

    def make(self) -> Messenger:
        """The messenger. Opens nothing yet."""
        raise NotImplementedError
