import os
import random
import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from modules.camera.frame import BadPicture, Frame
from modules.camera.sources import Source, SourceError, Video
from modules.camera.sources.container import ContainerSource
from modules.camera.sources.source import Pace
from tests.modules.camera.sources.films import film, frame, number
from tests.modules.camera.weight import weighed, weight


def source(path: Path, **wanted: object) -> Source:
    return Video.model_validate({"type": "video", "path": path, "pace": "fastest", "repeat": False, **wanted}).source()


def frames(source: Source) -> list[Frame]:
    source.open()
    found = []
    while (frame := source.read()) is not None:
        found.append(frame)
    return found


def counted(monkeypatch: pytest.MonkeyPatch, *what: tuple[object, str]) -> Counter[str]:
    """How often each of these functions is called, by its name."""
    calls = Counter[str]()

    def count(owner: object, name: str) -> None:
        known = getattr(owner, name)

        def called(*args: object, **named: object) -> object:
            calls[name] += 1
            return known(*args, **named)

        monkeypatch.setattr(owner, name, called)

    for owner, name in what:
        count(owner, name)
    return calls


def numbers(source: Source) -> list[int]:
    return [number(frame.look) for frame in frames(source)]


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("a.mp4", {}),
        ("a.mkv", {"frames_between": 2}),
        ("a.ts", {"frames_between": 2}),
        ("a.avi", {"codec": "mjpeg", "pixels": "yuvj422p"}),
        ("a.mp4", {"codec": "mpeg4"}),
        ("a.webm", {"codec": "libvpx"}),
        ("a.mkv", {"codec": "ffv1", "pixels": "gray"}),
        ("a.mkv", {"codec": "ffv1", "pixels": "gray16le"}),
        ("a.mkv", {"codec": "ffv1", "pixels": "bgra"}),
        ("a.mkv", {"codec": "ffv1", "pixels": "yuv420p10le"}),
    ],
)
def test_every_frame_of_any_codec_and_depth_comes_once_and_in_order(
    tmp_path: Path, name: str, encoder: dict[str, object]
) -> None:
    found = frames(source(film(tmp_path / name, 60, **encoder)))  # type: ignore[arg-type]
    assert [number(frame.look) for frame in found] == list(range(60))
    assert {(frame.look.dtype, frame.look.ndim) for frame in found} == {(np.dtype(np.uint8), 2)}
    picture = found[40].picture
    assert picture.dtype == np.uint8
    assert picture.shape == ((96, 128) if "gray" in str(encoder) else (96, 128, 3))
    assert number(picture.reshape(96, 128, -1)[:, :, 0]) == 40
    assert sum(frame.source_bytes for frame in found) > 60


def test_what_the_decoder_still_needs_cannot_be_painted_over(tmp_path: Path) -> None:
    (frame, *_) = frames(source(film(tmp_path / "a.mp4", 3)))
    with pytest.raises(ValueError, match="read-only"):
        frame.look[:] = 0
    frame.picture[:] = 0


def test_a_file_begins_again_at_its_end(tmp_path: Path) -> None:
    again = source(film(tmp_path / "a.mp4", 10), repeat=True)
    again.open()
    assert [number(frame.look) for _ in range(25) if (frame := again.read())] == [*range(10), *range(10), *range(5)]
    again.close()


def test_a_file_that_begins_again_is_opened_anew_only_where_it_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = counted(monkeypatch, (av, "open"))
    path, other = (
        film(tmp_path / "a.mp4", 10),
        film(tmp_path / "b.mp4", 20, scene=lambda at, *size: frame(at + 100, *size)),
    )
    opened.clear()
    again = source(path, repeat=True)
    again.open()
    assert [number(seen.look) for _ in range(25) if (seen := again.read())] == [*range(10), *range(10), *range(5)]
    assert opened["open"] == 1
    other.replace(path)
    assert [number(seen.look) for _ in range(15) if (seen := again.read())] == [*range(5, 10), *range(100, 110)]
    assert opened["open"] == 2
    again.close()


def test_a_file_plays_at_its_own_pace_by_its_stamps(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert numbers(source(film(tmp_path / "a.mp4", 30, rate=50), pace="own")) == list(range(30))
    assert time.monotonic() - begun >= 25 / 50


def test_a_file_that_lies_about_its_rate_is_played_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(film(tmp_path / "b.mkv", 30)) as was, av.open(path, "w") as lies:
        stream = lies.add_stream_from_template(was.streams.video[0])
        stamp = 0
        for packet in was.demux(video=0):
            if packet.size:
                stamp += random.Random(stamp).choice([0, 1, 1, 3_000_000, 7])
                packet.stream, packet.pts, packet.dts = stream, stamp, stamp
                lies.mux(packet)
    assert len(numbers(source(path, pace="own"))) == 30  # stamps hours apart do not hold it up for hours


def test_at_rest_only_key_frames_are_decoded_and_the_newest_picture_is_there_at_once(tmp_path: Path) -> None:
    played = source(film(tmp_path / "a.mp4", 200, rate=50, key_every=25), pace="own")
    played.open()
    before = [number(frame.look) for _ in range(30) if (frame := played.read())]
    played.rest(2.0)
    resting = [number(frame.look) for _ in range(3) if (frame := played.read())]
    time.sleep(0.1)
    played.rest(None)
    after = []
    while (frame := played.read()) is not None:
        after.append(number(frame.look))
    assert before == list(range(30))
    assert all(shown % 25 == 0 for shown in resting)
    assert all(new - old >= 25 for old, new in pairwise(resting))
    assert after[0] - resting[-1] <= 3, "it woke in the middle of a group, and went on there"
    assert after == list(range(after[0], 200))


def test_at_rest_nothing_is_decoded_nor_waited_for_that_nobody_looks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = source(film(tmp_path / "a.mp4", 300, rate=100, key_every=25), pace="own")
    played.open()
    assert played.read() is not None
    played.rest(4.0)
    calls = counted(monkeypatch, (ContainerSource, "_decode"), (Pace, "until"))
    shown = [number(seen.look) for _ in range(4) if (seen := played.read())]
    assert all(at % 25 == 0 for at in shown)
    assert calls == {"until": 4, "_decode": 8}  # of each picture its packet, and the end that lets it out
    played.close()


def test_the_end_of_the_rest_ends_the_wait_for_the_next_look(tmp_path: Path) -> None:
    played = source(film(tmp_path / "a.mp4", 200, rate=1, key_every=1000), pace="own")
    played.open()
    assert played.read() is not None
    played.rest(0.01)
    begun = time.monotonic()
    waker = threading.Timer(0.2, played.rest, (None,))
    waker.start()
    assert played.read() is not None
    assert time.monotonic() - begun < 50, "it slept on to the look that was due after 100 s"
    waker.join()
    played.close()


def test_a_long_group_does_not_make_a_resting_camera_blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.camera.sources.container.BLIND_S", 0.5)
    played = source(film(tmp_path / "a.mp4", 200, rate=50, key_every=1000), pace="own")
    played.open()
    played.rest(5.0)
    shown = [number(frame.look) for _ in range(4) if (frame := played.read())]
    assert shown[0] == 0
    assert all(20 <= new - old <= 40 for old, new in pairwise(shown))
    played.close()


def test_a_file_cut_short_ends_where_it_is_cut(tmp_path: Path) -> None:
    path = film(tmp_path / "a.ts", 60)
    os.truncate(path, path.stat().st_size // 2)
    assert 20 <= len(numbers(source(path))) < 60


@pytest.mark.parametrize("content", [b"", b"no video at all", bytes(5000), b"RIFF" + bytes(400)])
def test_what_is_no_video_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.avi").write_bytes(content)
    broken = source(tmp_path / "a.avi")
    with pytest.raises(SourceError, match=r"a\.avi (does not open|opens but)"):
        frames(broken)
    with pytest.raises(SourceError, match="there is nothing of that name"):
        source(tmp_path / "none.avi").open()


def test_a_sound_file_holds_no_video(tmp_path: Path) -> None:
    with av.open(tmp_path / "a.wav", "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(SourceError, match="holds no video"):
        source(tmp_path / "a.wav").open()


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_a_film_too_large_to_work_on_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("modules.camera.sources.container.LARGEST_PIXELS", 128 * 95)
    codec, pixels = ("mjpeg", "yuvj420p") if name.endswith("avi") else ("libx264", "yuv420p")
    huge = source(film(tmp_path / name, 3, codec=codec, pixels=pixels))
    huge.open()
    with pytest.raises(BadPicture, match="does not decode") as refused:
        huge.read()
    assert refused.value.reason == "too_large"
    huge.close()


@pytest.mark.parametrize("name", ["a.ts", "a.avi", "a.mkv", "a.mp4"])
@pytest.mark.parametrize("seed", range(6))
def test_corrupt_streams_are_counted_and_survived(tmp_path: Path, name: str, seed: int) -> None:
    codec = {"codec": "mjpeg", "pixels": "yuvj420p"} if name.endswith("avi") else {}
    path = film(tmp_path / name, 60, **codec)  # type: ignore[arg-type]
    whole, draw = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(3 ** (seed % 4 + 1)):
        at = draw.randrange(len(whole))
        whole[at : at + draw.randrange(1, 50)] = draw.randbytes(draw.randrange(50))
    path.write_bytes(whole)
    came, bad, told, reasons = 0, 0, str(path), set[str]()
    damaged = source(path)
    try:
        damaged.open()
        while came + bad < 1000:
            try:
                if damaged.read() is None:
                    break
                came += 1
            except BadPicture as error:
                reasons.add(error.reason)
                bad += 1
    except SourceError as error:
        told = str(error)
    finally:
        damaged.close()
    assert came + bad <= 120
    assert reasons <= {"corrupt", "too_large", "too_small"}
    assert str(path) in told


@weighed
def test_memory_and_handles_stay_flat_over_frames_as_fast_as_they_decode(tmp_path: Path) -> None:
    played = source(film(tmp_path / "a.mp4", 500, size=(160, 120)), repeat=True)
    played.open()

    def play(frames: int) -> None:
        for index in range(frames):
            frame = played.read()
            assert frame is not None
            assert number(frame.look) == index % 500
            if index % 50 == 0:
                assert frame.picture.shape == (120, 160, 3)

    play(500)
    memory, handles = weight()
    play(2_500)
    grown, handles_after = weight()
    played.close()
    assert grown - memory < 8
    assert handles_after == handles
