"""A module's side of edgeHub: inputs, outputs, methods, settings and health, over a connection that comes and goes."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

import orjson

from modules.common.connection import Connection
from modules.common.health import Facts, Health
from modules.common.inputs import InputHandler, Inputs
from modules.common.ledger import Ledger
from modules.common.messages import MAX_PACKET, Message, json_message, rfc3339
from modules.common.methods import MethodHandler, Methods
from modules.common.metrics import Metrics
from modules.common.sdk import SdkTransport
from modules.common.sender import Sender
from modules.common.settings import Settings
from modules.common.tasks import end
from modules.common.transport import Delivery, MethodCall, ReportRefusedError, Transport, TransportDownError
from modules.common.twin import SettingsHandler, Twin, TwinSettings
from modules.common.verbs import COMMANDS, LocalVerbs
from modules.common.version import VERSION
from modules.common.view import ViewHandler, ViewServer

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Settings)

# Together under the 10 s that Docker leaves between SIGTERM and SIGKILL.
_FINISH_SECONDS: Final = 3.0
_COMMIT_SECONDS: Final = 3.0
_DRAIN_SECONDS: Final = 1.5
_CLOSE_SECONDS: Final = 1.5


class Edge(Generic[S]):
    """One module. Register handlers, then `await run()`; everything happens in that one event loop.

    `settings` are defaults, then environment, then the twin; the last good twin is remembered, so that a module which
    starts while edgeHub is away goes on with it. Raises SettingsError when the environment is wrong.
    """

    def __init__(
        self,
        module: str,
        settings_type: type[S],
        *,
        state_dir: Path | None = None,
        transport: Transport | None = None,
        heartbeat_s: float = 5.0,
    ) -> None:
        module = os.environ.get("IOTEDGE_MODULEID", module)  # a site may deploy an image twice, under two names
        self.module: Final = module
        self.state_dir: Final = state_dir or Path(os.environ.get("MILLWATCH_STATE", "/data"))
        self.metrics: Final = Metrics(module)
        self.stopping: Final = asyncio.Event()
        self._connection = Connection(transport or SdkTransport(), self)
        self._sender = Sender(self._connection, self.metrics, Ledger(os.environ.get("MILLWATCH_LEDGER"), module))
        self._inputs = Inputs(self.metrics, self.state_dir / "dead")
        self._twin = TwinSettings(settings_type, self.state_dir, read=self._read_twin, report=self._report_soon)
        self._health = Health(module, VERSION, self.metrics)
        self._methods = Methods()
        self._methods.handlers.update(ping=self._ping, getStatus=self._get_status)
        self._verbs = LocalVerbs(self.set_local, self.clear_local, self.local_settings)
        self._methods.handlers.update(self._verbs.methods())
        self._inputs.handlers[COMMANDS] = self._verbs.command
        self._views = ViewServer(
            self.metrics.render,
            host=os.environ.get("MILLWATCH_VIEW_HOST", "127.0.0.1"),
            port=int(os.environ.get("MILLWATCH_VIEW_PORT", "9600")),
            name=module,
        )
        self.view("settings", self._show_settings)
        self._heartbeat_s = heartbeat_s
        self._beat = asyncio.Event()
        self._background: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._on_stop: list[Callable[[], Awaitable[None]]] = []
        self._sequences: dict[str, int] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self.metrics.connected.set_function(lambda: float(self.connected))

    # What a module registers, before `run`.

    def on_input(self, name: str, handler: InputHandler) -> None:
        """Handle messages of input `name`, one at a time and in order; acknowledged when `handler` has returned.

        `handler` raises BadMessage for what can never be handled. Anything else it raises is tried three times more,
        then the message is set aside under `<state>/dead`. Of `commands` it gets those that are not every module's.
        """
        if name == COMMANDS:
            self._verbs.others = handler
        else:
            self._inputs.handlers[name] = handler

    def on_method(self, name: str, handler: MethodHandler) -> None:
        """Answer direct method `name`: what `handler` returns with status 200, or MethodError's status and text."""
        self._methods.handlers[name] = handler

    def on_settings(self, handler: SettingsHandler[S], *, from_start: bool = False) -> None:
        """Be told of settings that differ from the current ones, just before they become current.

        `handler` raises SettingsError to refuse: the old ones stay, and the twin reports why. One handler only: of
        two, one could refuse what the other has already applied. With `from_start` it is told those that the module
        starts with, too. It is never called twice at once.
        """
        if self._twin.handler is not None:
            raise ValueError("there is a settings handler already")
        self._twin.handler = handler
        if from_start:
            self.background("settings", self._twin.begin)

    def on_stop(self, handler: Callable[[], Awaitable[None]]) -> None:
        """Be called when inputs have stopped and edgeHub is still there: commit, snapshot, send the last."""
        self._on_stop.append(handler)

    def background(self, name: str, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task from start to stop; one that raises stops the module, which is then restarted from outside."""
        self._background.append((name, task))

    def view(self, path: str, handler: ViewHandler) -> None:
        """Serve GET /view/<path>: `handler` takes the query and returns content type and body."""
        self._views.handlers[path] = handler

    def health(self, facts: Facts) -> None:
        """Add facts to the heartbeat; `state` (ok, warn, fail) and `text` among them become the module's own."""
        self._health.facts.append(facts)

    # What a module does.

    @property
    def settings(self) -> S:
        """The current settings."""
        return self._twin.current

    async def set_local(self, patch: object, *, who: str, why: str = "", at: datetime | None = None) -> None:
        """Change settings here, over the twin, until a later version of it says otherwise; on disk when it returns.

        `patch` is one of the twin's `settings`, and a null in it takes a local change back; `at` is when it was asked
        for. Raises SettingsError when it cannot be used, OSError when it cannot be kept: then nothing has changed. Not
        to be called by the handler of `on_settings`, for which it waits.
        """
        await self._twin.change_here(patch, who=who, why=why, at=rfc3339(at or datetime.now(UTC)))

    async def clear_local(self, *, who: str) -> None:
        """Take back everything that was set here. Raises as `set_local`."""
        await self._twin.clear_here(who=who)

    def local_settings(self) -> Mapping[str, object]:
        """What was set here and what became of it, by path, as reported in the twin's `localSettings`."""
        return self._twin.local()

    @property
    def connected(self) -> bool:
        """Whether edgeHub is there at this moment."""
        return self._connection.up.is_set()

    def next_seq(self, source: str) -> int:
        """The next sequence number of `source`, from 0 at each start."""
        number = self._sequences.get(source, 0)
        self._sequences[source] = number + 1
        return number

    async def send(self, output: str, message: Message) -> None:
        """Send and wait until edgeHub has stored it for every route, however long edgeHub is away.

        For use inside handlers. Raises BadMessage('oversize') for what edgeHub could never take.
        """
        await self._sender.send(output, message)

    def offer(self, output: str, message: Message) -> None:
        """Let `message` be sent when there is time; what there is no room for is dropped by its kind's rule, counted.

        For what answers no input: frames, heartbeats. Raises BadMessage('oversize').
        """
        self._sender.offer(output, message)

    def room(self, kind: str) -> bool:
        """Whether one message more of a kind, however large, can be offered and nothing be dropped for it."""
        return self._sender.outbox.room(kind, MAX_PACKET)

    def reject(self, name: str, reason: str, count: int = 1) -> None:
        """Count `count` parts of a message of input `name` that were left out while the rest was used."""
        self.metrics.rejected.labels(name, reason).inc(count)

    async def report(self, properties: Mapping[str, object]) -> None:
        """Merge `properties` into the twin's reported ones, as soon as edgeHub is there.

        What edgeHub refuses (a name with a blank, a twin of more than 32 KB) is logged and counted: the line goes on
        without it.
        """
        while True:
            await self._connection.up.wait()
            try:
                await self._connection.transport.report(properties)
            except TransportDownError:
                await asyncio.sleep(0.1)
            except ReportRefusedError as error:
                log.error("the twin does not take what is reported (%s): %s", ", ".join(properties), error)  # noqa: TRY400 - what it was is in the text
                self.metrics.refused.inc()
                return
            else:
                return

    def beat(self) -> None:
        """Send a heartbeat now, because something worth knowing has changed."""
        self._beat.set()

    def stop(self) -> None:
        """Begin an orderly stop."""
        self.stopping.set()

    async def run(self) -> None:
        """Connect and go on until SIGTERM, SIGINT or `stop`; then stop in order, within 10 s.

        Raises EnvironmentMissingError when not started by IoT Edge, and whatever a background task raised.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # not the main thread: a test
                loop.add_signal_handler(number, self.stop)
        await self._views.start()
        workers = self._inputs.start()
        log.info("%s %s starts; metrics and views on %s", self.module, VERSION, self._views.url)
        tasks = [
            asyncio.create_task(_named(job), name=name)
            for name, job in (
                ("connection", self._connection.stay),
                ("outbox", self._sender.empty_outbox),
                ("heartbeat", self._send_heartbeats),
                *self._background,
            )
        ]
        for task in (*tasks, *workers):
            task.add_done_callback(self._stop_if_failed)
        await self.stopping.wait()
        await self._shut_down(tasks)
        for task in (*tasks, *workers):
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    # What lives on the connection (connection.Guest).

    @property
    def wants_inputs(self) -> bool:
        """Whether there is any input to subscribe to."""
        return bool(self._inputs.handlers)

    async def pull_twin(self) -> None:
        """Read the whole twin and apply it. Raises TransportDownError."""
        await self._twin.pull()

    def delivered(self, delivery: Delivery) -> None:
        """A message came."""
        self._inputs.deliver(delivery)

    def desired_changed(self, patch: Mapping[str, object]) -> None:
        """A patch of desired properties came."""
        self._go(self._twin.patch(patch))

    def method_called(self, call: MethodCall) -> None:
        """A direct method was called."""
        self._go(self._methods.answer(call))

    def ready(self) -> None:
        """Connected, subscribed, and the twin applied."""
        self.beat()

    # Inside.

    async def _read_twin(self) -> Twin:
        return await self._connection.transport.twin()

    async def _report_soon(self, properties: Mapping[str, object]) -> None:
        self._go(self.report(properties))

    async def _ping(self, _payload: object) -> object:
        return {"module": self.module, "time": rfc3339(datetime.now(UTC))}

    async def _get_status(self, _payload: object) -> object:
        return self._document()

    def _show_settings(self, _query: Mapping[str, str]) -> tuple[str, bytes]:
        """Show the settings in force, what became of the twin's, and what was changed here."""
        values = self.settings.model_dump(mode="json")
        shown = {**self._twin.state(), "local": self._twin.local(), "values": values}
        return "application/json", orjson.dumps(shown)

    def _document(self, **more: object) -> dict[str, object]:
        return self._health.document(
            connected=self.connected,
            settings=dict(self._twin.state()),
            outbox={"items": len(self._sender.outbox), "bytes": self._sender.outbox.size},
            **more,
        )

    async def _send_heartbeats(self) -> None:
        while True:
            self._beat.clear()
            self._connection.check()
            self.offer(
                "health",
                json_message(
                    self._document(view={"url": self._views.url, "token": self._views.token}),
                    kind="health",
                    source=self.module,
                    seq=self.next_seq(f"health of {self.module}"),
                    time=datetime.now(UTC),
                ),
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    await self._beat.wait()

    async def _shut_down(self, tasks: list[asyncio.Task[None]]) -> None:
        log.info("%s stops", self.module)
        await self._inputs.stop(_FINISH_SECONDS)
        for handler in self._on_stop:
            await _within(_COMMIT_SECONDS, handler(), "the last commit")
        if self.connected:
            await _within(_DRAIN_SECONDS, self._sender.drain(), "the last messages")
        await end({*tasks, *self._errands})
        await _within(_CLOSE_SECONDS, self._connection.transport.close(), "closing the connection")
        await self._views.stop()

    def _go(self, errand: Awaitable[None]) -> None:
        """Run a short task of its own, kept from the garbage collector until done."""
        task = asyncio.ensure_future(_named(lambda: errand))
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def _stop_if_failed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed, the module stops: %s: %s", task.get_name(), type(error).__name__, error)
            self.stop()


async def _named(job: Callable[[], Awaitable[None]]) -> None:
    await job()


async def _within(seconds: float, what: Awaitable[None], name: str) -> None:
    """Wait for `what`, but not longer, and go on whatever it raises: an orderly stop reaches its end."""
    try:
        async with asyncio.timeout(seconds):
            await what
    except TimeoutError:
        log.warning("%s took longer than %.1f s and was left", name, seconds)
    except Exception:  # the rest of the stop matters more
        log.exception("%s failed", name)
