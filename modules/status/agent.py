"""Asks edgeAgent's metrics: often while someone looks, now and then otherwise."""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from modules.status.agentmetrics import Scrape, compared, read

log = logging.getLogger(__name__)

_OFTEN_S: Final = 5.0
_SELDOM_S: Final = 60.0
_TIMEOUT_S: Final = 3.0
_LARGEST: Final = 4 << 20


class Agent:
    """`url` is asked before each scrape, so that a setting takes effect at once; empty: nobody is asked."""

    def __init__(self, url: Callable[[], str], looked_at: asyncio.Event) -> None:
        self.scrape = Scrape()
        self.text = "not asked yet"
        self._url = url
        self._looked_at = looked_at
        self._heard: float | None = None
        self._client = httpx.AsyncClient(
            timeout=_TIMEOUT_S,
            trust_env=False,
            follow_redirects=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    @property
    def heard(self) -> bool:
        """Whether what is shown is fresh enough to be believed."""
        return self._heard is not None and time.monotonic() - self._heard < 2 * _SELDOM_S

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        age = None if self._heard is None else round(time.monotonic() - self._heard, 1)
        return {"heard": self.heard, "text": self.text, "age_s": age, "host": dict(self.scrape.host)}

    async def stay(self) -> None:
        """Ask for ever."""
        while True:
            await self.ask()
            if self._looked_at.is_set():
                await asyncio.sleep(_OFTEN_S)
            else:
                try:
                    async with asyncio.timeout(_SELDOM_S):
                        await self._looked_at.wait()
                except TimeoutError:
                    continue

    async def ask(self) -> None:
        """Ask once; what cannot be had is said in `text`, and in the log the first time."""
        url = self._url()
        if not url:
            self.text = "the address of edgeAgent's metrics is not set (agent_metrics)"
            return
        try:
            answer = await self._client.get(url)
            answer.raise_for_status()
            # To read a hundred lines takes 10 ms: not in the event loop, where alerts come in.
            scrape = await asyncio.to_thread(read, answer.text[:_LARGEST])
            self.scrape = compared(self.scrape, scrape)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            if not self.text.startswith("edgeAgent's metrics cannot"):
                log.warning("edgeAgent's metrics at %s cannot be read: %s %s", url, type(error).__name__, error)
            self.text = f"edgeAgent's metrics cannot be read ({type(error).__name__})"
        else:
            self.text, self._heard = "", time.monotonic()

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
