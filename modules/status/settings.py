"""What can be set about the status page."""

from pydantic import Field

from modules.common.settings import Settings


class StatusSettings(Settings):
    """Where the page listens and how much it keeps. Host and port count at the start only."""

    status_host: str = Field(
        default="127.0.0.1",
        title="Address",
        description="Address to listen on; 0.0.0.0 in a container, published on 127.0.0.1 by its createOptions",
    )
    status_port: int = Field(default=8080, ge=1, le=65535, title="Port", description="TCP port of page and REST")
    hosts: tuple[str, ...] = Field(
        default=("localhost", "127.0.0.1", "[::1]"),
        title="Host names",
        description="Host headers that are answered; anything else is refused, so that no web site can reach the page"
        " through a name of its own (DNS rebinding)",
    )
    history: int = Field(
        default=100_000, ge=1_000, le=1_000_000, title="Alerts kept", description="The oldest go when there are more"
    )
    silent_after_s: float = Field(
        default=15.0, gt=0, le=3600, title="Silent after", description="Seconds without a heartbeat, s"
    )
    event_holds_s: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        title="An item's alert holds",
        description="Seconds for which an alert about one item (a defective part) counts as active, s",
    )
