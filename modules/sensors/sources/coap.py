"""CoAP: resources of a device that are observed (aiocoap)."""

import asyncio
import contextlib
import logging
import time
from typing import Annotated, ClassVar, Final, Literal

from aiocoap import GET, Context, Message
from aiocoap.error import Error
from aiocoap.protocol import Request
from pydantic import Field

from modules.sensors.payload import PayloadPoint, hand_over
from modules.sensors.point import Point
from modules.sensors.sources.base import Feed, SourceError, SourceSettings

logging.getLogger("coap").setLevel(logging.CRITICAL + 1)

_CLOSE_S: Final = 1.0


class CoapPoint(PayloadPoint):
    """A resource."""

    address: str = Field(title="Path", description="of the resource: /sensors/temp", pattern=r"^/\S*$", max_length=255)


class Coap(SourceSettings):
    """A device. A restarted one has forgotten who observed it: so every observation is asked for again now and then."""

    point: ClassVar[type[Point]] = CoapPoint
    answers: ClassVar[bool] = True

    type: Literal["coap"]
    points: tuple[CoapPoint, ...] = Field((), title="Resources", max_length=200)
    uri: str = Field(title="Device", description="coap://192.0.2.7, with :port", pattern=r"^coap(\+tcp)?://[^@/\s]+$")
    silence_s: Annotated[float, Field(title="Silence that is reported", ge=0, le=86_400)] = 0.0
    renew_s: float = Field(30.0, ge=0.2, le=3600, title="Ask again every", description="seconds; notices a hung device")
    timeout_s: float = Field(5.0, ge=0.2, le=120, title="Time for an answer", description="seconds")
    interval_s: Annotated[float, Field(title="Interval", ge=0, le=86_400)] = 0.1

    def make(self, points: tuple[Point, ...]) -> "CoapSource":
        """The source that observes `points`."""
        return CoapSource(self, [point for point in points if isinstance(point, CoapPoint)])


class CoapSource:
    """Observes one device."""

    def __init__(self, settings: Coap, points: list[CoapPoint]) -> None:
        self._settings = settings
        self._points = points
        # RFC 7252, 4.7: one request at a time to a device. And two at once would each open a socket, one for ever.
        self._turn = asyncio.Lock()

    async def run(self, feed: Feed) -> None:
        """Observe all resources. Raises SourceError as soon as one of them gets no answer."""
        if not self._points:
            raise SourceError("no resources are set")
        settings = self._settings
        tcp = settings.uri.startswith("coap+tcp")
        context = await Context.create_client_context(transports=["tcpclient" if tcp else "simple6"])
        tasks = [asyncio.create_task(self._observe(context, point, feed)) for point in self._points]
        tasks.append(asyncio.create_task(self._questions(context, feed)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except TimeoutError as error:
            raise SourceError(f"{settings.uri}: no answer within {settings.timeout_s:g} s") from error
        except (Error, OSError) as error:
            raise SourceError(f"{settings.uri}: {error or type(error).__name__}") from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await context.shutdown()

    async def _observe(self, context: Context, point: CoapPoint, feed: Feed) -> None:
        """Observe one resource for ever, asking again and again to be told. Raises TimeoutError, aiocoap's Error."""
        while True:
            async with self._turn:
                request = context.request(Message(code=GET, uri=self._settings.uri + point.address, observe=0))
                try:
                    async with asyncio.timeout(self._settings.timeout_s):
                        answer = await request.response
                except BaseException:
                    _forget(request)
                    raise
            try:
                feed.connected()
                if self._usable(point, answer, feed):
                    hand_over(point, answer.payload, feed, time.time())
                observed = answer.opt.observe is not None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.renew_s if observed else self._poll_s(point)):
                        await self._told(request, point, feed)
                        await asyncio.Event().wait()  # it tells no more: until it is asked again
            finally:
                _forget(request)

    def _poll_s(self, point: CoapPoint) -> float:
        """How often to ask for what cannot be observed."""
        return max(1.0, self._settings.interval_s if point.interval_s is None else point.interval_s)

    async def _told(self, request: Request, point: CoapPoint, feed: Feed) -> None:
        async for notification in request.observation:
            if self._usable(point, notification, feed):
                hand_over(point, notification.payload, feed, time.time())

    async def _questions(self, context: Context, feed: Feed) -> None:
        """Ask for everything when somebody wants it."""
        while True:
            if await feed.asked(3600):
                for point in self._points:
                    message = Message(code=GET, uri=self._settings.uri + point.address)
                    async with self._turn, asyncio.timeout(self._settings.timeout_s):
                        answer = await context.request(message).response
                    if self._usable(point, answer, feed):
                        hand_over(point, answer.payload, feed, time.time())
                feed.answered()

    def _usable(self, point: CoapPoint, answer: Message, feed: Feed) -> bool:
        if answer.code.is_successful():
            feed.trouble(point.name, None)
            return True
        feed.refuse("refused")
        feed.trouble(point.name, f"{point.name}: the device says {answer.code}")
        return False


def _forget(request: Request) -> None:
    """Observe no longer."""
    if not request.observation.cancelled:
        request.observation.cancel()
