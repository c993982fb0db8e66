"""The module's side of the child process that holds the models: load, judge, and a deadline on everything.

A child that crashes or misses its deadline is killed and started again with the models it had. Whoever asked is told
(ChildGoneError) and decides whether to ask again.
"""

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from modules.inference import pipe
from modules.inference.errors import BadInputError, ChildGoneError, ModelError
from modules.inference.process import ended, kill
from modules.inference.sizing import Sizing

log = logging.getLogger(__name__)

ROOT: Final = Path(__file__).resolve().parents[2]
_PAGE: Final = os.sysconf("SC_PAGESIZE")
_ENDING_S: Final = 1.0  # for a child whose pipe has ended to end itself
_TIMES: Final = 1000  # judgements that the latency is told of
# What a run of a network works in is kept for the next one: given back after each picture, as the containers' own
# setting has it for the sake of modules that seldom need much, it comes back page by page, which takes longer than
# many a network. Of what is kept the threshold is the bound, in bytes.
_KEEPING: Final = {"MALLOC_TRIM_THRESHOLD_": "33554432", "MALLOC_MMAP_THRESHOLD_": "33554432"}
_BODY: Final = "body"  # of an answer, beside the fields of its head

Items = Sequence[tuple[bytes, Mapping[str, float]]]  # bodies as they came, and facts


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said of one item: probabilities by label; what is odd about the item, and its statistics."""

    probabilities: list[float]
    odd: list[str] = field(default_factory=list)
    looks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from, so that a new child can load it again."""

    folder: Path
    orders: dict[str, float]
    precision: str | None = None


@dataclass(slots=True)
class Engine:
    """Models in a child process, by name. Use from one event loop; requests wait for each other."""

    judge_s: float = 5.0  # deadline of one judgement
    load_s: float = 60.0  # deadline of one load, golden cases included
    sizing: Sizing = field(default_factory=Sizing)
    memory_mb: int = 1024  # what the child may allocate, ONNX Runtime's own 250 MB included
    command: tuple[str, ...] = (sys.executable, "-m", "modules.inference.child")
    restarts: int = 0
    _packages: dict[str, Source] = field(default_factory=dict)
    _times: dict[str, deque[float]] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def load(
        self, name: str, folder: Path, orders: Mapping[str, float] | None = None, *, precision: str | None = None
    ) -> dict[str, Any]:
        """Load a package under `name`, in place of what had it; what loading found. Raises ModelError.

        A model that crashes or hangs the child while loading raises ModelError too: it is not tried again.
        """
        async with self._lock:
            await self._ready()
            before = self._packages.pop(name, None)
            source = Source(folder, dict(orders or {}), precision)
            try:
                found = await self._load(name, source)
            except (ModelError, ChildGoneError) as error:
                if before is not None:
                    self._packages[name] = before
                raise ModelError(str(error)) from error
            self._packages[name] = source
            return found

    async def beside(
        self, name: str, folder: Path, orders: Mapping[str, float] | None = None
    ) -> tuple["Engine", dict[str, Any]]:
        """A second engine with all packages of this one and `folder` under `name`, and what loading that found.

        Its golden cases have run when it is there; this one goes on judging meanwhile. Raises ModelError.
        """
        other = Engine(self.judge_s, self.load_s, self.sizing, self.memory_mb, self.command)
        try:
            for each, source in list(self._packages.items()):
                if each != name:
                    await other.load(each, source.folder, source.orders, precision=source.precision)
            found = await other.load(name, folder, orders)
        except BaseException:
            await other.close()
            raise
        return other, found

    async def become(self, other: "Engine", name: str) -> bool:
        """Go on with the child and packages of `other`, which stands beside for `name`; who is being answered is first.

        False, and `other` is ended, when another package has been exchanged here since `other` was made.
        """
        async with self._lock:
            theirs = other._packages  # noqa: SLF001 - of this class, too
            if fits := {**self._packages, name: None} == {**theirs, name: None}:
                self._process, other._process = other._process, self._process  # noqa: SLF001 - as above
                self._packages = theirs
                self._times.pop(name, None)
        await other.close()
        return fits

    async def drop(self, name: str) -> None:
        """Forget a package."""
        async with self._lock:
            if self._packages.pop(name, None) is not None and self._alive():
                await self._ask({"do": "drop", "name": name}, b"", self.judge_s)

    async def judge(self, name: str, items: Items) -> list[Answer | BadInputError]:
        """What the model says of each item, in as few runs as it takes; an item that is no input costs only itself.

        Raises ModelError, ChildGoneError.
        """
        head = {
            "do": "judge",
            "name": name,
            "items": [{"length": len(body), "facts": dict(facts)} for body, facts in items],
        }
        async with self._lock:
            begin = time.perf_counter()
            await self._ready()
            answer = await self._ask(head, b"".join(body for body, _ in items), self.judge_s)
            self._note(name, len(items), time.perf_counter() - begin)
        return [_read(each) for each in answer["answers"]]

    async def heat(self, name: str, body: bytes) -> bytes | None:
        """A picture (encoded) with its heat map over it, as JPEG; None when the model has none.

        Raises BadInputError, ModelError, ChildGoneError.
        """
        async with self._lock:
            await self._ready()
            picture: bytes = (await self._ask({"do": "heat", "name": name}, body, self.judge_s))[_BODY]
        return picture or None

    async def measure(self, name: str) -> dict[str, Any]:
        """How quick and how large a loaded package is (measuring.py). Raises ModelError, ChildGoneError."""
        async with self._lock:
            await self._ready()
            source = self._packages.get(name)
            head = {"do": "measure", "name": name, "path": str(source.folder.resolve()) if source else ""}
            measured: dict[str, Any] = (await self._ask(head, b"", self.load_s))["measured"]
        return measured

    async def close(self) -> None:
        """End the child."""
        async with self._lock:
            await self._end()

    @property
    def names(self) -> list[str]:
        """What is loaded."""
        return list(self._packages)

    def latency(self, name: str) -> dict[str, float] | None:
        """Milliseconds for one item, of the last judgements: `mean_ms`, `p99_ms`; None before the first."""
        times = sorted(self._times.get(name, ()))
        if not times:
            return None
        return {
            "mean_ms": round(sum(times) / len(times) * 1e3, 3),
            "p99_ms": round(times[min(len(times) - 1, int(len(times) * 0.99))] * 1e3, 3),
        }

    def _note(self, name: str, count: int, took_s: float) -> None:
        self._times.setdefault(name, deque(maxlen=_TIMES)).append(took_s / max(1, count))

    @property
    def rss_bytes(self) -> int:
        """What the child holds in memory now; 0 while there is none."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError):
            return 0
        return pages * _PAGE

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._process.pid if self._process is not None and self._alive() else None

    def _alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _ready(self) -> None:
        """A running child with every package loaded. A package that no longer loads is left out, and its name said."""
        if self._alive():
            return
        if self._process is not None:
            self._process = None
            self.restarts += 1
        done = False
        while not done:  # a load that takes the child with it takes what was loaded before, too: begin again without it
            done = True
            for name, source in list(self._packages.items()):
                try:
                    await self._load(name, source)
                except (ModelError, ChildGoneError) as error:
                    log.error("model %s does not load any more: %s", name, error)  # noqa: TRY400 - the text says it all
                    del self._packages[name]
                    if isinstance(error, ChildGoneError):
                        done = False
                        break

    async def _load(self, name: str, source: Source) -> dict[str, Any]:
        head = {
            "do": "load",
            "name": name,
            "path": str(source.folder.resolve()),
            "sizing": self.sizing.document(),
            "orders": source.orders,
            "precision": source.precision,
        }
        found: dict[str, Any] = (await self._ask(head, b"", self.load_s))["loaded"]
        return found

    async def _ask(self, head: Mapping[str, Any], body: bytes, deadline_s: float) -> dict[str, Any]:
        if head["do"] not in ("load", "drop") and head["name"] not in self._packages:
            raise ModelError(f"no model {head['name']} is loaded")
        if not self._alive():
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                str(self.memory_mb),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=ROOT,
                env=os.environ | _KEEPING,
            )
        process = self._process
        assert process is not None
        try:
            async with asyncio.timeout(deadline_s):
                answer = await _exchange(process, pipe.pack(head, body))
        except TimeoutError as error:
            await self._end()
            raise ChildGoneError(f"no answer within {deadline_s:g} s to {head['do']} {head['name']}") from error
        except (OSError, EOFError, ValueError) as error:
            await self._end(0.0 if isinstance(error, ValueError) else _ENDING_S)
            code = process.returncode
            raise ChildGoneError(f"the process ended ({code}) at {head['do']} {head['name']}") from error
        except asyncio.CancelledError:
            # Half an exchange is on the pipe: whoever asks next must not read this answer.
            await self._end()
            raise
        if "bad_input" in answer:
            raise _bad(answer)
        if "out_of_memory" in answer:
            # What the model holds, or has leaked, is given back with the process.
            await self._end()
            raise ChildGoneError(f"{answer['out_of_memory']}; memory_mb allows {self.memory_mb}")
        if "model_error" in answer:
            raise ModelError(answer["model_error"])
        return answer

    async def _end(self, grace_s: float = 0.0) -> None:
        """Kill the child; its place is kept, so that the next request knows it is a restart.

        One that is ending by itself gets `grace_s`: subprocess's kill() looks for the end first, and would take the
        exit code away from asyncio, which then tells 255 of whatever happened.
        """
        if self._process is None:
            return
        if grace_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await ended(self._process)
        await kill(self._process)


async def _exchange(process: asyncio.subprocess.Process, request: bytes) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    await process.stdin.drain()
    head, body = pipe.lengths(await process.stdout.readexactly(pipe.LENGTHS.size))
    answer: dict[str, Any] = orjson.loads(await process.stdout.readexactly(head))
    answer[_BODY] = await process.stdout.readexactly(body) if body else b""
    return answer


def _read(answer: Mapping[str, Any]) -> Answer | BadInputError:
    return _bad(answer) if "bad_input" in answer else Answer(**answer)


def _bad(answer: Mapping[str, Any]) -> BadInputError:
    return BadInputError(answer["bad_input"], answer["text"].removeprefix(f"{answer['bad_input']}: "))
