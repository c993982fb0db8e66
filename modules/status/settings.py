"""What can be set about the status module."""

from pydantic import Field

from modules.common.settings import Settings


class StatusSettings(Settings):
    """Where it listens, who may ask, how much it keeps. Host, port, TLS and tokens count at the start only."""

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
    tokens: str = Field(
        default="",
        title="Folder of tokens",
        description="Folder with the files `read` and `operate`; a file that is not there is made in `tokens` of the"
        " module's state",
    )
    tls: bool = Field(
        default=False,
        title="TLS",
        description="Serve HTTPS with a certificate that the workload API issues and that is renewed before its end",
    )
    tls_name: str = Field(
        default="",
        title="Name in the certificate",
        description="Host name that people type in; empty: the gateway's own (IOTEDGE_GATEWAYHOSTNAME)",
    )
    requests_per_s: float = Field(
        default=100.0, ge=1, le=10_000, title="Requests of one client", description="Answered each second, 1/s"
    )
    requests_per_s_all: float = Field(
        default=300.0, ge=1, le=10_000, title="Requests of all", description="Answered each second, 1/s"
    )
    agent_metrics: str = Field(
        default="http://edgeAgent:9600/metrics",
        title="edgeAgent's metrics",
        description="Where CPU, memory and restarts of containers are read; empty: nowhere",
    )
    history: int = Field(
        default=100_000, ge=1_000, le=1_000_000, title="Alerts kept", description="The oldest go when there are more"
    )
    history_bytes: int = Field(
        default=128 << 20,
        ge=1 << 20,
        le=16 << 30,
        title="Bytes kept",
        description="Bound of what is kept on disk, bytes; the oldest alerts go first",
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
