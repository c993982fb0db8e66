"""Counts what came in and what went up, by kind: the proof of the reduction."""

from modules.common.messages import Message
from modules.common.metrics import Metrics
from modules.vibration.outgoing import upward

_METERED = 4096  # IoT Hub meters messages in blocks of 4 KB (Azure IoT Hub quotas and throttling)


class Traffic:
    """Bytes of payload and properties, in by kind and up by kind, and readings by what became of them."""

    def __init__(self, metrics: Metrics) -> None:
        self._bytes = metrics.counter(
            "millwatch_traffic_bytes_total", "Payload and properties, in and up to the cloud", "direction", "kind"
        )
        self._metered = metrics.counter(
            "millwatch_metered_messages_total", "Messages for the cloud as IoT Hub counts them, 4 KB each", "kind"
        )
        self._readings = metrics.counter("millwatch_readings_total", "Readings accepted")
        self._flags = metrics.counter("millwatch_flags_total", "Readings flagged as unusual")
        self._restamped = metrics.counter("millwatch_restamped_total", "Readings whose clock was not believed")
        self._windows = metrics.counter("millwatch_windows_total", "Windows finished", "kind")
        self.bytes_in = 0
        self.bytes_up = 0
        self.readings = 0
        self.flags = 0

    def came(self, message: Message) -> None:
        """Count an input."""
        size = message.wire_size()
        self.bytes_in += size
        self._bytes.labels("in", message.kind).inc(size)

    def goes(self, output: str, message: Message) -> None:
        """Count an output, if it leaves the gateway."""
        if upward(output):
            size = message.wire_size()
            self.bytes_up += size
            self._bytes.labels("up", message.kind).inc(size)
            self._metered.labels(message.kind).inc(-(-size // _METERED))

    def judged(self, *, readings: int, flags: int, restamped: int) -> None:
        """Count readings."""
        self.readings += readings
        self.flags += flags
        self._readings.inc(readings)
        self._flags.inc(flags)
        self._restamped.inc(restamped)

    def finished(self, kind: str, windows: int) -> None:
        """Count finished windows of ``readings`` or ``waveforms``."""
        self._windows.labels(kind).inc(windows)

    def facts(self) -> dict[str, object]:
        """What health tells."""
        return {
            "readings": self.readings,
            "flags": self.flags,
            "bytes_in": self.bytes_in,
            "bytes_up": self.bytes_up,
            "reduction": round(self.bytes_up / self.bytes_in, 5) if self.bytes_in else None,
        }
