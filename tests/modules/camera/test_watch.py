"""The eye of one camera, fed frame by frame: which pictures go out, how, and what stays."""

from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import orjson
import pytest

from modules.camera.choice import Chosen, Gate, Sent
from modules.camera.event import Shot
from modules.camera.frame import MESSAGE_BYTES, Frame, decode
from modules.camera.messages import Numbering, before, chosen, sample
from modules.camera.privacy import private
from modules.camera.ring import Ring
from modules.camera.settings import Camera
from modules.camera.sources import Folder
from modules.camera.watch import Taken, Watch
from modules.common.messages import members

START = datetime(2026, 1, 2, tzinfo=UTC)
EMPTY = np.full((180, 320, 3), 90, np.uint8)
RIGHT = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))


class Eye:
    """A watch without its reader."""

    def __init__(self, wanted: Camera) -> None:
        self.moments: list[list[Taken]] = []
        self.shown: list[Taken] = []
        self.watch = Watch("one", wanted, self.moments.append, self.shown.append)
        self.now = START

    def see(self, *pictures: np.ndarray) -> None:
        for picture in pictures:
            self.watch._look(Frame(picture, self.now, item=self.now.isoformat()))
            self.now += timedelta(seconds=0.1)

    def settle(self) -> None:
        self.see(*[EMPTY] * 15)


GATE, CHOSEN, SENT = Gate(), Chosen(), Sent()


def camera(*, gate: Gate = GATE, event: Chosen = CHOSEN, sent: Sent = SENT) -> Camera:
    source = Folder(type="folder", path=Path("nowhere"))
    return Camera(source=source, gate=gate, event=event, sent=sent, heartbeat_s=86_400)


def parts(*lefts: int, top: int = 60, side: int = 50) -> np.ndarray:
    picture = EMPTY.copy()
    for left in lefts:
        picture[top : top + side, left : left + side] = np.random.default_rng(1).integers(150, 255, (side, side, 3))
    return picture


def test_a_part_that_passes_is_sent_once_and_cut_out() -> None:
    eye = Eye(camera())
    eye.settle()
    eye.see(*[parts(left) for left in range(20, 200, 15)], EMPTY, EMPTY, EMPTY)
    ((taken,),) = eye.moments
    assert taken.reason == "motion" and 50 <= taken.width < 90 and taken.gate_area > 0.02
    assert decode(taken.jpeg).shape == (taken.height, taken.width, 3)
    assert eye.watch.tuner.triggers == 1


def test_parts_of_one_moment_are_one_message_that_fits() -> None:
    eye = Eye(camera(sent=Sent(margin=0.0, quality=100)))
    eye.settle()
    eye.see(*[parts(left, left + 100, left + 200) for left in range(5, 60, 10)])
    ((*taken,),) = eye.moments
    assert len(taken) == 3
    numbering = Numbering()
    frames = [numbering.frame(each) for each in taken]
    batch = numbering.together(frames)
    assert batch.kind == "batch" and batch.packet_size("frames") <= MESSAGE_BYTES
    assert batch.source == "camera/one" and batch.properties["members"] == "3"
    assert [(each.message_id, each.body, each.kind) for each in members(batch)] == [
        (frame.message_id, frame.body, "frame") for frame in frames
    ]
    assert numbering.together(frames[:1]) is frames[0]


def test_parts_go_alone_where_that_is_wanted() -> None:
    eye = Eye(camera(sent=Sent(together=False)))
    eye.settle()
    eye.see(*[parts(left, left + 150) for left in range(5, 60, 10)])
    assert [len(taken) for taken in eye.moments] == [1, 1]


@pytest.mark.parametrize("count", [2, 8])
def test_a_message_of_large_pictures_fits_too(count: int) -> None:
    eye = Eye(camera(sent=Sent(crop=False, quality=100)))
    noise = np.random.default_rng(2).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    eye.watch._send("sensor", [Shot(Frame(noise, START))] * count)
    numbering = Numbering()
    for taken in eye.moments:
        message = numbering.together([numbering.frame(each) for each in taken])
        assert message.packet_size("frames") <= 250_000
    assert sum(map(len, eye.moments)) == count


def test_a_picture_covers_what_the_model_asks_for() -> None:
    eye = Eye(camera(gate=Gate(mode="every"), sent=Sent(cover=(96, 96))))
    eye.see(EMPTY)
    ((taken,),) = eye.moments
    assert (taken.width, taken.height) == (171, 96)


def test_private_areas_are_in_no_picture_that_leaves() -> None:
    wanted = camera(gate=Gate(mode="sensor"), sent=Sent(quality=100)).model_copy(update={"private": (RIGHT,)})
    eye = Eye(wanted)
    white = np.full((180, 320, 3), 255, np.uint8)
    for _ in range(3):
        eye.watch._look(private(Frame(white, eye.now), wanted.private))
    eye.watch.capture_now()
    eye.watch._look(private(Frame(white, eye.now), wanted.private))
    ((taken,),) = eye.moments
    assert decode(taken.jpeg)[:, 170:].max() < 100
    assert eye.watch.newest is not None and eye.watch.newest.picture[:, 170:].max() < 100
    assert all(frame.picture[:, 170:].max() < 100 for frame in eye.watch._ring._frames)


def test_the_part_sensor_chooses_the_frame_of_its_moment() -> None:
    eye = Eye(camera(gate=Gate(mode="sensor"), sent=Sent(quality=100)))
    eye.see(*[np.full((180, 320, 3), level, np.uint8) for level in range(0, 100, 10)])
    assert eye.moments == []
    eye.watch.part_here(START + timedelta(seconds=0.62), "A7")
    eye.see(EMPTY)
    ((taken,),) = eye.moments
    assert taken.item == "A7" and taken.reason == "sensor"
    assert abs(int(decode(taken.jpeg).mean()) - 60) <= 1


def test_a_moment_that_is_to_come_waits_for_its_frame() -> None:
    eye = Eye(camera(gate=Gate(mode="sensor")))
    eye.see(EMPTY)
    eye.watch.part_here(START + timedelta(seconds=0.35), None)
    eye.see(EMPTY, EMPTY)
    assert eye.moments == []
    eye.see(EMPTY, EMPTY)
    ((taken,),) = eye.moments
    assert taken.captured - START in (timedelta(seconds=0.3), timedelta(seconds=0.4))


def test_pictures_before_an_event_go_with_its_sample() -> None:
    eye = Eye(camera(event=Chosen(before_s=2.0)))
    eye.see(*[EMPTY] * 40)
    eye.see(*[parts(left) for left in range(20, 140, 15)])
    ((taken,),) = eye.moments
    assert 3 <= len(taken.before) <= 5
    assert [each.captured for each in taken.before] == sorted(each.captured for each in taken.before)
    assert all(taken.captured - timedelta(seconds=2) <= each.captured < taken.captured for each in taken.before)
    frame = Numbering().frame(taken)
    earlier = [before(each, frame, index) for index, each in enumerate(taken.before, start=1)]
    assert {message.trace_id for message in earlier} == {frame.message_id}
    assert len({message.message_id for message in (sample(frame), *earlier)}) == 1 + len(earlier)


def held(thing: object, seen: set[int] | None = None) -> list[Frame]:
    """Every frame that can be reached from this thing through the camera's own objects."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return []
    seen.add(id(thing))
    if isinstance(thing, Frame):
        return [thing]
    inner: list[object] = []
    if isinstance(thing, dict):
        inner = list(thing.values())
    elif isinstance(thing, list | tuple | set | deque):
        inner = list(thing)
    elif type(thing).__module__.startswith("modules.camera"):
        slots = [name for each in type(thing).__mro__ for name in getattr(each, "__slots__", ())]
        inner = [getattr(thing, name, None) for name in slots] + list(getattr(thing, "__dict__", {}).values())
    return [frame for each in inner for frame in held(each, seen)]


def test_erase_leaves_no_picture_in_memory_though_the_camera_gives_no_further_one() -> None:
    eye = Eye(camera(event=Chosen(before_s=2.0, steady=5)))
    eye.settle()
    eye.see(parts(20), parts(35))
    assert len({id(frame) for frame in held(eye.watch)}) >= 4, "the newest, the ring's, those of the part in view"
    eye.watch.forget()
    assert held(eye.watch) == []
    with pytest.raises(LookupError):
        eye.watch.tuner.picture()
    eye.see(*[parts(left) for left in range(50, 200, 15)], EMPTY, EMPTY)
    assert sum(map(len, eye.moments)) == 1, "the part in view is still found"


def test_erase_does_not_send_what_was_sent_again() -> None:
    eye = Eye(camera())
    eye.settle()
    eye.see(*[parts(left) for left in range(20, 80, 15)])
    eye.watch.forget()
    eye.see(*[parts(left) for left in range(80, 200, 15)], EMPTY, EMPTY)
    assert sum(map(len, eye.moments)) == 1


def test_the_ring_is_bounded() -> None:
    ring = Ring(1_000_000, small=False)
    for index in range(100):
        ring.add(Frame(EMPTY, START + timedelta(seconds=index)))
        assert ring.size <= 1_000_000
    assert len(ring) == 1_000_000 // EMPTY.nbytes
    near = ring.nearest(START + timedelta(seconds=98.4))
    assert near is not None and near.captured == START + timedelta(seconds=98)
    ring = Ring(1_000_000, small=False)
    assert ring.nearest(START) is None
    ring.add(Frame(np.zeros((1000, 1000), np.uint8), START))
    ring.add(Frame(np.zeros((1001, 1000), np.uint8), START))
    assert len(ring) == 0


def test_other_settings_of_the_eye_need_no_new_connection() -> None:
    one = camera()
    assert one.reads_as(one.model_copy(update={"gate": Gate(threshold=30)}))
    assert not one.reads_as(one.model_copy(update={"private": (RIGHT,)}))
    eye = Eye(one)
    eye.settle()
    eye.watch.retune(one.model_copy(update={"gate": Gate(threshold=44)}))
    eye.see(EMPTY)
    assert eye.watch.tuner.document()["threshold"] == 44


def test_the_background_is_taken_anew_when_asked() -> None:
    eye = Eye(camera())
    eye.settle()
    eye.watch.learn_now()
    eye.see(*[parts(100)] * 12)
    assert eye.moments == []


def test_the_view_for_whoever_sets_the_gate() -> None:
    eye = Eye(camera(gate=Gate(threshold=20, regions=(RIGHT,))))
    with pytest.raises(LookupError):
        eye.watch.tuner.picture()
    eye.settle()
    eye.see(parts(200))
    document = orjson.loads(orjson.dumps(eye.watch.tuner.document()))
    assert document["threshold"] == 20 and document["regions"] == [[list(point) for point in RIGHT]]
    assert document["areas"][-1][1] > 0.02 and document["areas"][0][1] == 0
    drawn = decode(eye.watch.tuner.picture())
    assert drawn.shape == (360, 640, 3)
    red = drawn[140:200, 420:480].astype(int)
    assert (red[..., 2] - red[..., 0]).mean() > 20
    plain = drawn[140:200, 40:100].astype(int)
    assert abs(plain[..., 2] - plain[..., 0]).mean() < 5


def test_an_even_share_of_the_frames_is_kept() -> None:
    numbering = Numbering()
    jpeg = cv2.imencode(".jpg", EMPTY)[1].tobytes()
    frames = [numbering.frame(Taken("one", jpeg, 320, 180, START, "motion", 0.1)) for _ in range(1000)]
    assert sum(chosen(frame, 0.05) for frame in frames) == 50
