"""The way to the hub: TLS with the gateway's CA, a token, and one batch at a time until it is acknowledged."""

from . import batch, mqtt
from .backlog import Batch
from .quoting import Buffer
from .sas import token
from .settings import Settings

_API = "2021-04-12"  # edgeHub wants one in the user name and does not look at it
_PACKET = 8192
_FIRST_MS, _LONGEST_MS = 5_000, 900_000


class LinkError(Exception):
    """The batch did not go through; the text says why."""


def backoff_ms(failures: int, random: int) -> int:
    """How long to wait after so many failures in a row: doubled each time, and between half and all of it by chance.

    ``random``: 0 to 255. A thousand boards whose gateway comes back do not come back all at once.
    """
    longest = min(_LONGEST_MS, _FIRST_MS << min(failures - 1, 10))
    return longest // 2 + longest // 2 * random // 255


class Link:
    """``time``, ``socket`` and ``ssl`` are the port's modules; the buffer is made once, here."""

    def __init__(self, settings: Settings, clock: object, time: object, socket: object, ssl: object) -> None:
        """Read the CA; OSError, and ValueError where it is none."""
        self._settings, self._clock, self._time, self._socket = settings, clock, time, socket
        self._memory = bytearray(_PACKET)
        self._raw = self._stream = self._client = None
        self._opened_ms = self._used_ms = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.verify_mode = ssl.CERT_REQUIRED  # MicroPython's wrapper begins with CERT_NONE
        with open(settings.ca, "rb") as file:
            self._context.load_verify_locations(cadata=file.read())

    def send(self, what: Batch) -> None:
        """Deliver a batch; LinkError when it was not acknowledged."""
        try:
            if self._client is None or self._token_old():
                self._open()
            out = Buffer(self._memory, mqtt.HEADER + 2)
            batch.topic(out, self._settings.device, self._settings.source, what.id, what.seq, what.readings[0][0])
            self._memory[mqtt.HEADER : mqtt.HEADER + 2] = (out.end - mqtt.HEADER - 2).to_bytes(2, "big")
            out.put(what.packet_id.to_bytes(2, "big"))
            batch.senml(out, self._settings.source, what.readings)
            start = mqtt.publish(self._memory, out.end, again=what.again)
            self._client.publish(memoryview(self._memory)[start : out.end], what.packet_id)
            self._used_ms = self._time.ticks_ms()
        except (OSError, ValueError, mqtt.MqttError) as error:
            raise self._broken(error)

    def keep(self) -> int:
        """Tell the hub that the device is there, where it is time; milliseconds until it is again. LinkError."""
        half = self._settings.keepalive_s * 500
        if self._client is None:
            return half
        left = half - self._time.ticks_diff(self._time.ticks_ms(), self._used_ms)
        if left > 0:
            return left
        try:
            self._client.ping()
        except (OSError, mqtt.MqttError) as error:
            raise self._broken(error)
        self._used_ms = self._time.ticks_ms()
        return half

    def close(self) -> None:
        """Say goodbye where there is somebody."""
        try:
            if self._client is not None:
                self._client.disconnect()
        except OSError:
            pass  # it is gone already, which is what was wanted
        self._drop()

    def _open(self) -> None:
        self.close()
        now, settings = self._clock.now_ms() // 1000, self._settings
        self._raw = self._socket.socket()
        self._raw.settimeout(settings.timeout_s)
        self._raw.connect(self._socket.getaddrinfo(settings.gateway, settings.port)[0][-1])
        self._stream = self._context.wrap_socket(self._raw, server_hostname=settings.gateway)
        client = mqtt.Client(self._stream)
        out = Buffer(self._memory)
        user = "%s/%s/?api-version=%s" % (settings.host, settings.device, _API)
        password = token(settings.host, settings.device, settings.key, now + settings.token_s)
        mqtt.connect(out, settings.device, user, password, settings.keepalive_s)
        client.connect(memoryview(self._memory)[: out.end])
        self._client = client
        self._opened_ms = self._used_ms = self._time.ticks_ms()

    def _token_old(self) -> bool:
        return self._time.ticks_diff(self._time.ticks_ms(), self._opened_ms) > self._settings.token_s * 800

    def _broken(self, error: Exception) -> LinkError:
        self._drop()
        text = str(error)
        if isinstance(error, ValueError) and not isinstance(error, mqtt.MqttError) and "cert" in text.lower():
            text = "the gateway's certificate is not to be trusted: %s" % text
        return LinkError("%s:%d: %s" % (self._settings.gateway, self._settings.port, text or repr(error)))

    def _drop(self) -> None:
        """Close both: a TLS stream that broke does not always close what lies below it."""
        for each in (self._stream, self._raw):
            if each is not None:
                try:
                    each.close()
                except OSError:
                    pass  # broken already
        self._raw = self._stream = self._client = None
