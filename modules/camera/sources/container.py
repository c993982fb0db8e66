"""What FFmpeg can open as a source, through PyAV: network cameras and video files.

Packets are read one by one and decoded on one thread: each further one holds a frame back. At rest only key frames are
decoded, and the packets since the last one are kept: so the newest picture can be had at any moment, without having
decoded all those before it. A file's packets are then read on, without waiting for each, up to the next that is to be
looked at: thirty short sleeps a second cost more than what is done between them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np

from modules.camera.frame import LARGEST_PIXELS, BadPicture, Frame, Lazy, Picture, checked
from modules.camera.sources.lateness import Lateness
from modules.camera.sources.source import Pace, SourceError
from modules.camera.sources.swell import Swell

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext

    VideoPacket = Packet[VideoStream]

# The first plane of these is the grey picture.
LUMA_FIRST = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray"})
KEPT_BYTES = 8_000_000  # of packets since the last key frame: ten seconds of a good camera
SWELL_S = 0.2  # looks at a resting camera that its swollen frames bring about lie at least so far apart
DUE = 0.8  # of the time between two looks, at least: the key frame nearest to it is taken, if a little early
BLIND_S = 5.0  # a resting camera whose key frames lie further apart is looked at this often none the less
BAD_IN_A_ROW = 250  # so many undecodable packets are a dead stream, not a bad moment
FASTEST_HZ, USUAL_HZ, LONGEST_STEP_S = 240.0, 25.0, 2.0


class ContainerSource:
    """One stream or file. ``address`` gives its URL with credentials, which never leaves this class.

    ``paced`` holds a file to its own time stamps, ``repeat`` begins it again at its end; its ``name`` is its path.
    """

    def __init__(
        self,
        name: str,
        address: Callable[[], str],
        *,
        form: str | None = None,
        options: dict[str, str] | None = None,
        timeout_s: float = 10.0,
        live: bool = True,
        paced: bool = False,
        repeat: bool = False,
    ) -> None:
        self.live = live
        self._name, self._address, self._form = name, address, form
        self._options = options or {}
        self._timeout_s = timeout_s
        self._repeat = repeat
        self._pace = Pace(FASTEST_HZ) if paced else None
        self._may_rest = live or paced
        self._rest_s: float | None = None
        self._container: InputContainer | None = None
        self._hang_up: Callable[[], None] | None = None  # what ends the reading; None: it is not open
        self._version: tuple[int, int] | None = None
        self._tick_s: float | None = None

    def open(self) -> None:
        """Connect, or open the file, and find its video."""
        self.close()
        av = library()
        self._version = _version(self._name) if self._repeat else None
        try:
            container = av.open(
                self._address(),
                format=self._form,
                options=self._options,
                timeout=(self._timeout_s, self._timeout_s),
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            # The library's own text may hold the address with its password.
            raise SourceError(f"{self._name} does not open: {reason(error)}") from None
        self._container, self._hang_up = container, container.close
        if not container.streams.video:
            self.close()
            raise SourceError(f"{self._name} opens but holds no video")
        container.streams.video[0].thread_type = "NONE"
        self._bound(container.streams.video[0].codec_context)
        self._begin_container(container)

    def _bound(self, decoder: VideoCodecContext) -> None:
        """Set up a decoder that has decoded nothing yet."""
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(LARGEST_PIXELS)}

    def _begin_container(self, container: InputContainer) -> None:
        stream = container.streams.video[0]
        self._begin(stream.codec_context, container.demux(stream))
        self._tick_s = None if stream.time_base is None else float(stream.time_base)
        rate = float(stream.average_rate or 0)
        self._step_s = 1 / rate if 0 < rate <= FASTEST_HZ else 1 / USUAL_HZ

    def _begin(self, decoder: VideoCodecContext, packets: Iterator[VideoPacket]) -> None:
        self._decoder = decoder
        self._pixels = _pixels(self._decoder)  # as announced: the decoder forgets what it refuses
        self._packets = packets
        self._ready: deque[tuple[VideoFrame, VideoPacket | None]] = deque()
        self._forget(whole=False)
        self._begun = self._drained = False
        self._looked = self._due = self._keyed = float("-inf")
        self._bad = 0
        self._spent = 0
        self._lateness, self._swell = Lateness(), Swell()
        self._stamp: float | None = None
        self._tick_s, self._step_s = None, 1 / USUAL_HZ

    def _forget(self, *, whole: bool) -> None:
        """The packets since the last key frame; `whole` says that those from here on are all there."""
        self._since_key: list[VideoPacket] = []
        self._kept = 0  # bytes of them
        self._decoded = 0  # how many of them the decoder has taken, as it stands
        self._whole = whole

    def rest(self, rate_hz: float | None) -> None:
        """Decode key frames only, at most at this rate; what is read as fast as it decodes does not rest."""
        if self._may_rest:
            self._rest_s = None if rate_hz is None else 1 / rate_hz
            if self._pace is not None:
                self._pace.rest(rate_hz)

    def read(self) -> Frame | None:
        """Wait for the next frame that is to be looked at."""
        while True:
            if self._hang_up is None:
                raise SourceError(f"{self._name} is not open")
            if self._ready:
                return self._frame(*self._ready.popleft())
            packet = self._next()
            if packet is not None and packet.size:
                self._spent += packet.size
                self._take(packet)
            elif packet is None and self._ended():
                return None

    def _next(self) -> VideoPacket | None:
        av = library()
        try:
            return next(self._packets, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            if not self.live and isinstance(error, av.InvalidDataError):
                return None  # a file damaged beyond this point ends here
            self.close()
            raise SourceError(f"{self._name} stopped giving pictures: {reason(error)}") from None

    def _step(self, packet: VideoPacket) -> float:
        """Seconds from the packet before to this one, by the file's own stamps where those make sense."""
        ticks = packet.dts if packet.dts is not None else packet.pts
        stamp = None if ticks is None or self._tick_s is None else ticks * self._tick_s
        before, self._stamp = self._stamp, stamp
        if stamp is None or before is None or not 0 <= stamp - before <= LONGEST_STEP_S:
            return self._step_s
        return stamp - before

    def _ended(self) -> bool:
        """Whether nothing more comes; a live stream that ends is dead, and a file may begin again."""
        if self._begun and not self._drained and self._decoded == len(self._since_key):
            self._drained = True
            self._decode(None)  # what the decoder still holds
            return False
        if self.live:
            self.close()
            raise SourceError(f"{self._name} stopped giving pictures: the other side has ended the stream")
        if self._looked == float("-inf"):
            self.close()
            raise SourceError(f"{self._name} opens but gives no picture: is it a whole video?")
        self._wait()  # at rest the last one may have been read early
        if self._repeat:
            self._wind_back()
        else:
            self.close()
        return not self._repeat

    def _wind_back(self) -> None:
        """Begin again with what lies there now; the same file is wound, for to open one costs what some frames cost."""
        assert self._container is not None
        if self._version == _version(self._name):
            with suppress(library().FFmpegError):  # not every file can be wound
                self._container.seek(0)
                self._begin_container(self._container)
                return
        self.open()

    def _wait(self) -> None:
        """Sleep until the packet read last is due."""
        if self._pace is not None:
            self._pace.until(self._due)

    def _take(self, packet: VideoPacket) -> None:
        """Decode the packet when it is due, or keep it for later."""
        self._due = time.monotonic() if self._pace is None else self._pace.due(self._step(packet))
        key = bool(packet.is_keyframe)
        apart, self._keyed = (self._due - self._keyed, self._due) if key else (0.0, self._keyed)
        if key:
            self._forget(whole=True)
            self._begun = True
        elif not self._begun:
            return  # nothing can be made of it without its key frame
        swollen = not key and self._swell.see(packet.size)
        self._since_key.append(packet)
        self._kept += packet.size
        rest = self._rest_s if self._whole and self._kept <= KEPT_BYTES else None
        if rest is not None:
            since = self._due - self._looked
            if since < (max(DUE * rest, rest - apart / 2) if key else SWELL_S if swollen else max(rest, BLIND_S)):
                return
        self._wait()
        self._advance()
        if rest is not None and key:  # the picture may wait in the decoder for those that follow it
            self._decode(None)
            self._decoded = 0
        if self._kept > KEPT_BYTES:  # from here to the next key frame each is decoded as it comes
            self._forget(whole=False)

    def _give_up(self) -> None:
        """What comes up to the next key frame cannot be decoded: something before it is missing."""
        self._forget(whole=False)
        self._begun = False

    def _advance(self) -> None:
        """Decode what has been kept; of several pictures only the newest counts."""
        if self._decoded == 0 and len(self._since_key) > 1 and self._whole:
            self._decoder.flush_buffers()
        behind = self._since_key[self._decoded :]
        for packet in behind:
            self._decoded += 1
            self._decode(packet)
        if len(behind) > 1:
            while len(self._ready) > 1:
                self._ready.popleft()

    def _decode(self, packet: VideoPacket | None) -> None:
        av = library()
        try:
            frames = self._decoder.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            self._bad += 1
            if self._bad >= BAD_IN_A_ROW:
                self.close()
                raise SourceError(f"{self._name} gives what cannot be decoded: {reason(error)}") from None
            label = "too_large" if max(self._pixels, _pixels(self._decoder)) > LARGEST_PIXELS else "corrupt"
            raise BadPicture(label, f"a frame does not decode: {reason(error)}") from None
        if frames:
            self._bad = 0
            self._looked = time.monotonic()
        if packet is None:
            self._decoder.flush_buffers()
        self._ready.extend((frame, packet) for frame in frames)

    def _frame(self, frame: VideoFrame, packet: VideoPacket | None) -> Frame:
        spent, self._spent = self._spent, 0
        if frame.is_corrupt:
            raise BadPicture("corrupt", "a frame is damaged: something was lost on the way")
        late = 0.0
        if self.live and frame.time is not None:
            late = self._lateness.seconds(frame.time, time.monotonic())
        captured = datetime.now(UTC) - timedelta(seconds=late)
        luma = _luma(frame)
        checked(luma)
        encoded = bytes(packet) if packet is not None and self._form == "mpjpeg" else None
        return Frame(Lazy(lambda: _colour(frame)), captured, encoded=encoded, source_bytes=spent, luma=luma)

    def close(self) -> None:
        """Hang up."""
        if self._hang_up is not None:
            hang_up, self._hang_up, self._container = self._hang_up, None, None
            self._packets = iter(())
            hang_up()


def library() -> ModuleType:
    """PyAV, 17 MB that a module with neither network camera nor video file does without."""
    import av  # noqa: PLC0415 - as said

    return av


def _version(path: str) -> tuple[int, int] | None:
    """Changes when the file is replaced or written to; None where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def reason(error: Exception) -> str:
    """What went wrong without the address that it went wrong at."""
    name = type(error).__name__
    known = {
        "ExitError": "it is silent",
        "TimeoutError": "it is silent",
        "ConnectionRefusedError": "nobody listens there",
        "FileNotFoundError": "there is nothing of that name",
        "HTTPUnauthorizedError": "user and password are asked for, or wrong",
        "HTTPNotFoundError": "there is no such stream",
        "InvalidDataError": "what comes is not a stream of that kind",
        "ConnectionResetError": "it hangs up",
        "BrokenPipeError": "it hangs up",
        "NotRtsp": "what comes is not a stream of that kind",
    }
    return known.get(name, getattr(error, "strerror", None) or name)


def _pixels(decoder: VideoCodecContext) -> int:
    return int(decoder.width * decoder.height)


def _luma(frame: VideoFrame) -> Picture:
    """The grey picture, (height, width) uint8, read-only: the decoder goes on using its memory."""
    grey = frame if frame.format.name in LUMA_FIRST else frame.reformat(format="gray")
    plane = grey.planes[0]
    flat = np.frombuffer(cast("memoryview[int]", plane), np.uint8)  # a plane is a buffer; its stub does not say so
    luma = flat[: plane.line_size * grey.height].reshape(grey.height, plane.line_size)[:, : grey.width]
    luma.flags.writeable = False
    return luma


def _colour(frame: VideoFrame) -> Picture:
    """The picture in OpenCV's blue-green-red order, or grey where the camera is grey."""
    if frame.format.name.startswith("gray"):
        return np.ascontiguousarray(_luma(frame))
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
