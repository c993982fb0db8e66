"""The camera module on the edge: settings in, a watch per camera, frames and samples out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import UTC, datetime

import orjson

from modules.camera.frame import encode
from modules.camera.messages import Numbering, sample
from modules.camera.settings import CameraSettings
from modules.camera.watch import Taken, Watch
from modules.common.edge import Edge
from modules.common.messages import BadMessage, Message, rfc3339
from modules.common.methods import MethodError

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
        edge.on_method("captureNow", self._capture_method)
        edge.on_input("commands", self._command)
        edge.view("last.jpg", self._view_last)
        edge.view("picture", self._view_picture)
        edge.view("cameras", self._view_cameras)
        edge.health(self.facts)
        edge.on_stop(self.stop)

    async def apply(self, settings: CameraSettings) -> None:
        """Start what is new, stop what is gone, restart what changed; the rest goes on untouched."""
        self._loop = asyncio.get_running_loop()
        stopped = [name for name, watch in self._watches.items() if settings.cameras.get(name) != watch.wanted]
        await asyncio.gather(*(asyncio.to_thread(self._watches.pop(name).stop) for name in stopped))
        for name, wanted in settings.cameras.items():
            if name not in self._watches:
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

    def _deliver(self, taken: Taken) -> None:
        """Called on a watch's thread. A live camera offers and goes on; a file waits until edgeHub has its picture."""
        if self._loop is None or self._loop.is_closed():
            return
        watch = self._watches.get(taken.camera)
        if watch is None or watch.live:
            self._loop.call_soon_threadsafe(self._offer, taken)
            return
        sending: Future[None] = asyncio.run_coroutine_threadsafe(self._send(taken), self._loop)
        sending.result()

    def _offer(self, taken: Taken) -> None:
        frame = self._numbering.frame(taken)
        self._edge.offer("frames", frame)
        self._offer_sample(frame)

    async def _send(self, taken: Taken) -> None:
        frame = self._numbering.frame(taken)
        await self._edge.send("frames", frame)
        self._offer_sample(frame)

    def _offer_sample(self, frame: Message) -> None:
        kept = sample(frame, self._edge.settings.sample_share)
        if kept is not None:
            self._edge.offer("samples", kept)

    def _capture(self, name: object) -> list[str]:
        """Ask one camera, or all of them, for a frame now; the names asked."""
        if name is not None and name not in self._watches:
            raise KeyError(f"no camera {name!r}; there are: {', '.join(self._watches)}")
        asked = list(self._watches) if name is None else [str(name)]
        for each in asked:
            self._watches[each].capture_now()
        return asked

    async def _capture_method(self, payload: object) -> object:
        name = payload.get("camera") if isinstance(payload, dict) else None
        try:
            return {"asked": self._capture(name)}
        except KeyError as error:
            raise MethodError(404, str(error.args[0])) from error

    async def _command(self, message: Message) -> None:
        document = message.document()
        if document.get("verb") != "captureNow":
            raise BadMessage("unknown_command", str(document.get("verb"))[:40])
        try:
            self._capture(document.get("camera"))
        except KeyError as error:
            raise BadMessage("unknown_camera", str(error.args[0])) from error

    def _view_last(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        taken = self._latest.get(query.get("camera", next(iter(self._latest), "")))
        if taken is None:
            raise KeyError("no picture yet")
        return "image/jpeg", taken.jpeg

    async def _view_picture(self, query: Mapping[str, str]) -> tuple[str, bytes]:
        """The newest frame itself, sent or not."""
        name = query.get("source", next(iter(self._watches), ""))
        frame = self._watches[name].newest if name in self._watches else None
        if frame is None:
            raise LookupError(f"no picture of camera {name!r}")
        quality = self._watches[name].wanted.quality
        return "image/jpeg", await asyncio.to_thread(lambda: encode(frame.picture, quality=quality))

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
