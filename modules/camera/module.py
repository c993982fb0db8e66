"""The camera module on the edge: settings in, a watch per camera, frames and samples out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import UTC, datetime

import orjson

from modules.camera.frame import encode
from modules.camera.messages import Numbering, before, chosen, sample
from modules.camera.orders import Orders
from modules.camera.settings import Camera, CameraSettings
from modules.camera.watch import HEARTBEAT, Taken, Watch
from modules.common.edge import Edge
from modules.common.messages import Message, rfc3339

TOLD_EVERY_S = 1.0  # a new picture is worth a heartbeat, but not each of fifty a second


class CameraModule:
    """All cameras of this module."""

    def __init__(self, edge: Edge[CameraSettings]) -> None:
        self._edge = edge
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watches: dict[str, Watch] = {}
        self._latest: dict[str, Taken] = {}
        self._numbering = Numbering()
        self._told = 0.0
        edge.on_settings(self.apply, from_start=True)
        orders = Orders(self._watches, edge.set_local, self._forget)
        for verb, handler in orders.methods().items():
            edge.on_method(verb, handler)
        edge.on_input("commands", orders.command)
        edge.view("last.jpg", self._view_last)
        edge.view("picture", self._view_picture)
        edge.view("cameras", self._view_cameras)
        edge.view("gate", self._view_gate)
        edge.view("gate.jpg", self._view_gate_picture)
        edge.health(self.facts)
        edge.on_stop(self.stop)

    async def apply(self, settings: CameraSettings) -> None:
        """Start what is new, stop what is gone, restart what changed; the rest goes on untouched."""
        self._loop = asyncio.get_running_loop()
        stopped = [name for name, watch in self._watches.items() if not _same_source(settings.cameras.get(name), watch)]
        await asyncio.gather(*(asyncio.to_thread(self._watches.pop(name).stop) for name in stopped))
        for name, wanted in settings.cameras.items():
            if name in self._watches:
                if wanted != self._watches[name].settings:
                    self._watches[name].retune(wanted)
            else:
                self._watches[name] = Watch(name, wanted, self._deliver, self._show, self._beat_soon)
                self._watches[name].start()

    async def stop(self) -> None:
        """Stop reading; what was handed over before is still sent."""
        await asyncio.gather(*(asyncio.to_thread(watch.stop, 2.0) for watch in self._watches.values()))

    def _show(self, taken: Taken) -> None:
        """Called on a watch's thread. The page takes a new picture when a heartbeat tells of one."""
        self._latest[taken.camera] = taken
        now = time.monotonic()
        if now - self._told >= TOLD_EVERY_S:
            self._told = now
            self._beat_soon()

    def _beat_soon(self) -> None:
        """Called on a watch's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._edge.beat)

    def _deliver(self, taken: list[Taken]) -> None:
        """Called on a watch's thread. A live camera offers and goes on; a file waits until edgeHub has its picture."""
        if self._loop is None or self._loop.is_closed():
            return
        watch = self._watches.get(taken[0].camera)
        if watch is None or watch.live:
            self._loop.call_soon_threadsafe(self._offer, taken)
            return
        sending: Future[None] = asyncio.run_coroutine_threadsafe(self._send(taken), self._loop)
        sending.result()

    def _offer(self, taken: list[Taken]) -> None:
        frames = [self._numbering.frame(each) for each in taken]
        if taken[0].reason != HEARTBEAT:
            self._edge.offer("frames", self._numbering.together(frames))
        self._offer_samples(taken, frames)

    async def _send(self, taken: list[Taken]) -> None:
        frames = [self._numbering.frame(each) for each in taken]
        if taken[0].reason != HEARTBEAT:
            await self._edge.send("frames", self._numbering.together(frames))
        self._offer_samples(taken, frames)

    def _offer_samples(self, taken: list[Taken], frames: list[Message]) -> None:
        for each, frame in zip(taken, frames, strict=True):
            if each.reason != HEARTBEAT and not chosen(frame, self._edge.settings.sample_share):
                continue
            self._edge.offer("samples", sample(frame))
            for index, earlier in enumerate(each.before, start=1):
                self._edge.offer("samples", before(earlier, frame, index))

    def _forget(self, name: str) -> None:
        self._latest.pop(name, None)

    def _view_last(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        taken = self._latest.get(query.get("camera", next(iter(self._latest), "")))
        if taken is None:
            raise KeyError("no picture yet")
        return "image/jpeg", taken.jpeg

    async def _view_picture(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        """The newest frame itself, sent or not."""
        watch = self._watched(query)
        frame, quality = watch.newest, watch.wanted.sent.quality
        if frame is None:
            raise LookupError(f"no picture of camera {watch.name!r}")
        return "image/jpeg", await asyncio.to_thread(lambda: encode(frame.picture, quality=quality)[0])

    def _view_gate(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        return "application/json", orjson.dumps(self._watched(query).tuner.document())

    async def _view_gate_picture(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        return "image/jpeg", await asyncio.to_thread(self._watched(query).tuner.picture)

    def _watched(self, query: Mapping[str, str]) -> Watch:
        name = query.get("source", next(iter(self._watches), "")).removeprefix("camera/")
        if name not in self._watches:
            raise LookupError(f"no camera {name!r}")
        return self._watches[name]

    def _view_cameras(self, _query: Mapping[str, str]) -> tuple[str, bytes]:
        return "application/json", orjson.dumps(self._cameras())

    def _cameras(self) -> dict[str, dict[str, object]]:
        return {name: self._camera(name, watch) for name, watch in self._watches.items()}

    def _camera(self, name: str, watch: Watch) -> dict[str, object]:
        state, (condition, trouble) = watch.state, watch.condition
        shown = self._latest.get(name)
        age = None if state.captured is None else (datetime.now(UTC) - state.captured).total_seconds()
        return {
            "state": condition,
            "trouble": trouble,
            "fps": round(state.fps(time.monotonic()), 2),
            "age_s": None if age is None else round(max(0.0, age), 3),
            "sleeping": watch.sleeping,
            "last_event": None if state.last_event is None else rfc3339(state.last_event),
            "frames": state.frames,
            "sent": state.sent,
            "skipped": watch.skipped,
            "outages": state.outages,
            "rejected": dict(state.bad),
            "gate": watch.tuner.figures(),
            "shown": rfc3339(shown.captured) if shown else None,
            "item": shown.item if shown else None,
        }

    def facts(self) -> dict[str, object]:
        """What health tells about the cameras; the module's own state is warn while one of them is not well."""
        cameras = self._cameras()
        unwell = [f"{name}: {each['trouble']}" for name, each in cameras.items() if each["trouble"]]
        return {
            "cameras": cameras,
            "bytes_in": sum(watch.state.source_bytes for watch in self._watches.values()),
            **({"state": "warn", "text": "; ".join(unwell)[:300]} if unwell else {}),
        }


def _same_source(wanted: Camera | None, watch: Watch) -> bool:
    """Whether the watch can go on with these settings without reading anew."""
    return wanted is not None and wanted.reads_as(watch.settings)
