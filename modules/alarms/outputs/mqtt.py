"""MQTT: a topic that gets notices, and a topic that shows a level (paho-mqtt, which the modules' SDK brings)."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Annotated, Final, Literal

from paho.mqtt import client as paho
from pydantic import Field

from modules.alarms.notice import Notice
from modules.alarms.outputs.base import MessengerSettings, OutputError, SwitchSettings
from modules.common.field.mqtt import Broker

Topic = Annotated[str, Field(title="Topic", pattern=r"^[^+#\x00]{1,1000}$", examples=["hall/alarm"])]
Text = Annotated[str, Field(max_length=1000)]


_SHARE: Final = 0.8  # of the patience: paho's thread gives up connecting before it is left alone


class MqttTopic(MessengerSettings, Broker):
    """Each notice is published as JSON, QoS 1."""

    type: Literal["mqtt"]
    topic: Topic
    retain: bool = Field(False, title="Retain", description="the broker keeps the newest for who comes later")

    def make(self) -> "MqttMessenger":
        """The messenger of this topic."""
        return MqttMessenger(self)


class MqttSwitch(SwitchSettings, Broker):
    """The level is published, QoS 1: what a relay on the network, or a dashboard, listens to."""

    type: Literal["mqtt-switch"]
    topic: Topic
    on: Text = Field("ON", title="On", description="what is published")
    off: Text = Field("OFF", title="Off", description="what is published")
    retain: bool = Field(True, title="Retain", description="the broker keeps the level for who comes later")
    will: Text | None = Field(
        None, title="Last will", description="what the broker publishes when the gateway is gone", examples=["OFF"]
    )

    @property
    def drops(self) -> bool:
        """Without a will nobody at the far end notices."""
        return self.will is not None

    def make(self) -> "MqttLevel":
        """The switch of this topic."""
        return MqttLevel(self)


class MqttMessenger:
    """Publishes notices."""

    remark = ""

    def __init__(self, settings: MqttTopic) -> None:
        self._settings = settings
        self._session = _Session(settings, settings.patience_s)

    async def send(self, notice: Notice) -> None:
        """Publish, and wait for the broker's PUBACK. Raises OutputError."""
        await self._session.publish(self._settings.topic, notice.encode(), retain=self._settings.retain)

    async def check(self) -> bool:
        """Raise OutputError when the connection is gone; begins it where there was none yet."""
        await self._session.connected()
        return True

    async def close(self) -> None:
        """Disconnect."""
        await self._session.close()


class MqttLevel:
    """Publishes a level."""

    remark = ""

    def __init__(self, settings: MqttSwitch) -> None:
        self._settings = settings
        self._session = _Session(
            settings, settings.patience_s, will=None if settings.will is None else (settings.topic, settings.will)
        )

    async def show(self, level: int) -> None:
        """Publish, and wait for the broker's PUBACK. Raises OutputError."""
        settings = self._settings
        text = settings.on if level else settings.off
        await self._session.publish(settings.topic, text.encode(), retain=settings.retain)

    async def check(self, level: int) -> None:  # noqa: ARG002 - a broker does not tell what it keeps
        """Raise OutputError when the connection is gone: a broker that was restarted may have lost the level."""
        self._session.still_there()

    async def close(self) -> None:
        """Disconnect, orderly: the will is not published."""
        await self._session.close()


class _Session:
    """One connection at a time. paho runs in a thread of its own and only tells the event loop."""

    def __init__(self, broker: Broker, patience_s: float, *, will: tuple[str, str] | None = None) -> None:
        self._broker, self._patience_s, self._will = broker, patience_s, will
        self._client: paho.Client | None = None
        self._ended = ""
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._up: asyncio.Future[None] | None = None

    async def connected(self) -> paho.Client:
        """The client, connected. Raises OutputError, FieldError."""
        if self._client is not None:
            self.still_there()
            return self._client
        broker, loop = self._broker, asyncio.get_running_loop()
        client = await asyncio.to_thread(broker.client)  # it reads files
        client.connect_timeout = self._patience_s * _SHARE
        if self._will is not None:
            client.will_set(*self._will, qos=1, retain=True)
        self._ended, self._up, self._client = "", loop.create_future(), client
        up = self._up

        def tell(what: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(what)

        # In paho's thread. What an earlier client says late is not about this one.
        client.on_connect = lambda _c, _u, _f, code: tell(
            lambda: self._end(client, paho.connack_string(code)) if code else _done(up)
        )
        client.on_disconnect = lambda _c, _u, code: tell(lambda: self._end(client, paho.error_string(code)))
        client.on_publish = lambda _c, _u, mid: tell(lambda: self._confirmed(client, mid))
        try:
            await asyncio.to_thread(client.connect, broker.host, broker.port, broker.keepalive_s)
        except (OSError, ValueError) as error:
            raise OutputError(f"no connection to {broker.where}: {error}") from error
        client.loop_start()
        await up
        return client

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish with QoS 1 and wait for the PUBACK. Raises OutputError, FieldError."""
        client = await self.connected()
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        info = client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise OutputError(f"{self._broker.where}: {paho.error_string(info.rc)}")
        # paho's thread tells by way of the loop, which is busy here: the answer cannot have been missed.
        self._waiting[info.mid] = confirmed
        try:
            await confirmed
        finally:
            self._waiting.pop(info.mid, None)

    def still_there(self) -> None:
        """Raise OutputError when the connection is gone."""
        if self._client is None or self._ended:
            raise OutputError(f"{self._broker.where}: {self._ended or 'not connected'}")

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            client.on_connect = client.on_disconnect = client.on_publish = None
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)

    def _end(self, client: paho.Client, why: str) -> None:
        if client is not self._client:
            return
        self._ended = why
        error = OutputError(f"{self._broker.where}: the connection was lost: {why}")
        for waiting in (self._up, *self._waiting.values()):
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)

    def _confirmed(self, client: paho.Client, mid: int) -> None:
        waiting = self._waiting.get(mid)
        if client is self._client and waiting is not None:
            _done(waiting)


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
