"""The twin's settings: pulled, patched, applied or refused, remembered, and reported back."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

import orjson

from modules.common.settings import Desired, Settings, SettingsError, environment
from modules.common.snapshot import Snapshot
from modules.common.transport import TransportDownError

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Settings)
SettingsHandler = Callable[[S], Awaitable[None] | None]
Twin = Mapping[str, Mapping[str, object]]


class TwinSettings(Generic[S]):
    """Holds the current settings. `read` reads the whole twin, `report` merges into reported properties."""

    def __init__(
        self,
        settings_type: type[S],
        state_dir: Path,
        *,
        read: Callable[[], Awaitable[Twin]],
        report: Callable[[Mapping[str, object]], Awaitable[None]],
    ) -> None:
        self.handler: SettingsHandler[S] | None = None
        self._read = read
        self._report = report
        self._lock = asyncio.Lock()
        self._remembered: Final = Snapshot(state_dir / "settings.snapshot")
        self._desired = self._recall(Desired.start(settings_type, environment(settings_type)))

    @property
    def current(self) -> S:
        """The last good settings."""
        return self._desired.settings

    def state(self) -> Mapping[str, object]:
        """Version, ok and error, as reported."""
        report = self._desired.report()["settings"]
        assert isinstance(report, dict)
        return report

    async def pull(self) -> None:
        """Read the whole twin and apply it. Raises TransportDownError."""
        async with self._lock:
            await self._pull()

    async def patch(self, patch: Mapping[str, object]) -> None:
        """Apply a desired patch; after a gap in `$version` the whole twin is read instead."""
        async with self._lock:
            if self._desired.follows(patch):
                await self._take(self._desired.patched(patch))
                return
            try:
                await self._pull()
            except TransportDownError:
                log.debug("a desired patch after a gap, and the connection gone: pulled at the next connect")

    async def _pull(self) -> None:
        twin = await self._read()
        await self._take(self._desired.pulled(twin.get("desired") or {}))

    async def _take(self, new: Desired[S]) -> None:
        before = self._desired
        if not new.error and new.settings != before.settings and self.handler is not None:
            try:
                answer = self.handler(new.settings)
                if inspect.isawaitable(answer):
                    await answer
            except SettingsError as error:
                new = new.refused(str(error), before)
            except Exception as error:  # a bad desired value never stops a module
                log.exception("settings version %s could not be applied", new.version)
                new = new.refused(f"{type(error).__name__}: {error}", before)
        self._desired = new
        if new.error:
            log.warning("settings version %s refused, the last good ones stay: %s", new.version, new.error)
        elif new.settings != before.settings:
            log.info("settings version %s applied", new.version)
        if (new.version, new.wanted, new.error) != (before.version, before.wanted, before.error):
            self._remember(new)
        await self._report(new.report())

    def _remember(self, desired: Desired[S]) -> None:
        if desired.error:
            return
        try:
            self._remembered.save(orjson.dumps({"version": desired.version, "wanted": desired.wanted}))
        except OSError as error:
            log.warning("settings cannot be remembered over a restart: %s", error)

    def _recall(self, fresh: Desired[S]) -> Desired[S]:
        """Go on with the last good twin, for a module that starts while edgeHub is away."""
        try:
            body = self._remembered.load()
        except OSError as error:
            log.warning("remembered settings cannot be read: %s", error)
            return fresh
        if body is None:
            return fresh
        kept = orjson.loads(body)
        recalled = fresh.pulled({"settings": kept["wanted"], "$version": kept["version"]})
        if recalled.error:
            log.warning("remembered settings do not fit this version and are left: %s", recalled.error)
            return fresh
        return recalled
