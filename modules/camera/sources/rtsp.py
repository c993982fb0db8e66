"""A network camera as a source, through RTSP."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from modules.camera.frame import BadPicture, Frame
from modules.camera.sources.container import ContainerSource, library, reason
from modules.camera.sources.login import NetworkSettings
from modules.camera.sources.rtp.conversation import Refused
from modules.camera.sources.rtp.interleaved import NotRtsp
from modules.camera.sources.rtp.sdp import START, NotOurs
from modules.camera.sources.rtp.wire import Wire
from modules.camera.sources.source import SourceError

if TYPE_CHECKING:
    from av import VideoFrame

    from modules.camera.sources.container import VideoPacket

log = logging.getLogger(__name__)


class Rtsp(NetworkSettings):
    """A network camera, through RTSP (H.264, H.265 or MJPEG over RTP)."""

    type: Literal["rtsp"]
    url: str = Field(
        title="Address",
        description="rtsp:// or rtsps://, without user and password: those belong in `credentials_file`",
        pattern=r"^rtsps?://[^@\s]+$",
        max_length=1000,
        examples=["rtsp://192.0.2.10:554/stream1"],
    )
    transport: Literal["tcp", "udp"] = Field(
        "tcp", title="Transport", description="tcp loses nothing; udp never waits for what was lost on the way"
    )

    def source(self) -> ContainerSource:
        """The camera's stream."""
        # Probing for as long as FFmpeg likes shows a first picture that is a second old.
        options = {
            "rtsp_transport": self.transport,
            "allowed_media_types": "video",
            "analyzeduration": "100000",
            "timeout": str(round(self.timeout_s * 1e6)),
        }
        if self.transport == "tcp" and self.url.startswith("rtsp:"):
            return RtspSource(self, options)
        return ContainerSource(self.url, self.address, form="rtsp", options=options, timeout_s=self.timeout_s)


class RtspSource(ContainerSource):
    """Reads H.264 and H.265 over TCP itself, with far fewer system calls than FFmpeg, and leaves FFmpeg the rest.

    A stream that was read here and gave no picture at all is left to FFmpeg the next time.
    """

    def __init__(self, settings: Rtsp, options: dict[str, str]) -> None:
        super().__init__(settings.url, settings.address, form="rtsp", options=options, timeout_s=settings.timeout_s)
        self._wire: Wire | None = None
        self._leaves = False
        self._switch = threading.Lock()  # a rest may begin or end while it is opened

    def open(self) -> None:
        """Connect, and have the video played."""
        self.close()
        leaves, self._leaves = self._leaves, False
        if leaves or not self._open_wire():
            super().open()

    def _open_wire(self) -> bool:
        """Whether it is for us to read."""
        try:
            wire = Wire(self._address(), self._timeout_s)
        except (NotOurs, NotRtsp) as error:
            log.debug("%s is read by FFmpeg: %s", self._name, error)
            return False
        except Refused as error:
            raise SourceError(f"{self._name} does not open: {error}") from None
        except (OSError, ValueError) as error:
            raise SourceError(f"{self._name} does not open: {reason(error)}") from None
        track = wire.track
        decoder = library().CodecContext.create(track.codec, "r")
        decoder.thread_type = "NONE"
        if track.parameters:
            decoder.extradata = track.parameters
        self._bound(decoder)
        self._hang_up, self._leaves = wire.close, True
        self._begin(decoder, self._units(wire))
        with self._switch:
            self._wire = wire
            wire.gather(bursts=self._rest_s is not None)
        return True

    def _units(self, wire: Wire) -> Iterator[VideoPacket]:
        make, tick = library().Packet, Fraction(1, wire.track.clock_hz)
        for unit in wire.units():
            packet = make(unit.data or START)  # an empty one would pass for the end
            packet.pts = packet.dts = unit.ticks
            packet.time_base, packet.is_keyframe, packet.is_corrupt = tick, unit.key, unit.damaged
            yield packet

    def rest(self, rate_hz: float | None) -> None:
        """As `ContainerSource.rest`; at rest what comes is read in bursts."""
        with self._switch:
            super().rest(rate_hz)
            if self._wire is not None:
                self._wire.gather(bursts=rate_hz is not None)

    def _take(self, packet: VideoPacket) -> None:
        if self._wire is not None:
            if packet.is_corrupt:
                self._give_up()
                raise BadPicture("corrupt", "a frame is damaged: something was lost on the way")
            # Of a burst, the last has waited least: it tells by how much the clocks are apart.
            self._lateness.seconds(float(packet.pts or 0) * float(packet.time_base), time.monotonic())
        super()._take(packet)

    def _frame(self, frame: VideoFrame, packet: VideoPacket | None) -> Frame:
        self._leaves = False
        if self._wire is not None:
            frame.time_base = Fraction(1, self._wire.track.clock_hz)  # what the decoder had kept does not know it
        return super()._frame(frame, packet)

    def close(self) -> None:
        """Hang up."""
        self._wire = None
        super().close()
