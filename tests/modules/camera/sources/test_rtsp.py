"""What an RTSP camera's source makes of what comes; the real server is in `tests/system`."""

import socket
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from modules.camera.frame import BadPicture
from modules.camera.sources import Rtsp, Source, SourceError
from modules.camera.sources.container import ContainerSource
from tests.modules.camera.sources.films import film, number
from tests.modules.camera.sources.rtp.packets import annex_b, nals, stream
from tests.modules.camera.sources.rtp.server import SDP, Camera, framed


def source(camera: Camera, timeout_s: float = 20.0) -> Source:
    return Rtsp(type="rtsp", url=camera.url, timeout_s=timeout_s).source()


def packets(tmp_path: Path, count: int, codec: str = "h264") -> list[bytes]:
    """RTP packets of numbered frames, each tenth a key frame."""
    path = film(tmp_path / "a.mkv", count, codec={"h264": "libx264", "hevc": "libx265"}[codec], key_every=10)
    return stream(codec, [nals(bytes(each)) for each in annex_b(path, codec)], 1)


def sends(some: list[bytes]) -> Callable[[socket.socket], None]:
    def play(connection: socket.socket) -> None:
        connection.sendall(framed(some, 2))
        connection.shutdown(socket.SHUT_RDWR)

    return play


def shown(live: Source) -> tuple[list[int], list[str], str]:
    """The numbers of the frames that came, the reasons of those that could not be used, and what ended it."""
    numbers: list[int] = []
    bad: list[str] = []
    live.open()
    while True:
        try:
            frame = live.read()
        except BadPicture as error:
            bad.append(error.reason)
        except SourceError as error:
            return numbers, bad, str(error)
        else:
            assert frame is not None
            numbers.append(number(frame.look))


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_every_frame_comes_once_and_in_order(tmp_path: Path, codec: str) -> None:
    sdp = SDP if codec == "h264" else SDP.replace("H264", "H265")
    with Camera(sends(packets(tmp_path, 45, codec)), sdp=sdp) as camera:
        numbers, bad, told = shown(source(camera))
    assert numbers == list(range(45))
    assert not bad
    assert "ended the stream" in told


def test_what_is_lost_costs_the_frames_up_to_the_next_key_frame_and_is_counted(tmp_path: Path) -> None:
    whole = packets(tmp_path, 60)
    with Camera() as camera:
        for lost in range(5, len(whole) - 5, 7):
            camera.play = sends(whole[:lost] + whole[lost + 1 :])
            numbers, bad, _ = shown(source(camera))
            assert bad == ["corrupt"], lost
            gaps = [after - before - 1 for before, after in pairwise(numbers)]
            assert min(gaps) >= 0
            assert sum(gap > 0 for gap in gaps) <= 1
            after_gap = [after for before, after in pairwise(numbers) if after != before + 1]
            assert all(each % 10 == 0 for each in after_gap), "it went on with a key frame"


def by_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> list[ContainerSource]:
    """Those that FFmpeg was to open."""
    opened: list[ContainerSource] = []

    def note(given: ContainerSource) -> None:
        opened.append(given)

    monkeypatch.setattr(ContainerSource, "open", note)
    return opened


def test_what_is_not_ours_is_read_by_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = by_ffmpeg(monkeypatch)
    with Camera(sends(packets(tmp_path, 20)), sdp=SDP.replace("H264", "JPEG")) as camera:
        live = source(camera)
        live.open()
    assert opened == [live]


def test_a_stream_without_a_picture_is_left_to_ffmpeg_the_next_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = by_ffmpeg(monkeypatch)
    with Camera(sends([])) as camera:
        live = source(camera)
        live.open()
        with pytest.raises(SourceError):
            live.read()
        assert not opened
        live.open()
        assert opened == [live]
        camera.play = sends(packets(tmp_path, 20))
        for _ in range(2):  # what gave pictures once is ours again
            live.open()
            assert live.read() is not None
        live.close()
    assert len(opened) == 1


def test_at_rest_only_key_frames_are_decoded_and_the_newest_picture_is_there_when_it_wakes(tmp_path: Path) -> None:
    whole = packets(tmp_path, 100)
    go_on = threading.Event()

    def play(connection: socket.socket) -> None:
        connection.sendall(framed(whole, 2))
        go_on.wait(20)

    with Camera(play) as camera:
        live = source(camera)
        live.rest(1.0)
        live.open()
        frame = live.read()
        assert frame is not None
        assert number(frame.look) == 0
        live.rest(None)
        numbers = [number(frame.look) for _ in range(60) if (frame := live.read())]
        go_on.set()
        live.close()
    assert numbers == list(range(numbers[0], numbers[0] + 60))
