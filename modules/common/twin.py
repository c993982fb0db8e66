"""Settings from the twin and from the gateway: applied or refused, remembered over a kill, and reported back."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

import orjson

from modules.common.local import Locals, from_json, gone, report, to_json
from modules.common.settings import Desired, Settings, SettingsError, environment
from modules.common.snapshot import Snapshot
from modules.common.transport import TransportDownError

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Settings)
SettingsHandler = Callable[[S], Awaitable[None] | None]
Twin = Mapping[str, Mapping[str, object]]

LOCAL: Final = "localSettings"
"""The reported property with every local setting."""


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
        self._kept: Final = Snapshot(state_dir / "local.snapshot")
        self._reported: set[str] = set()
        """The names of local settings that the twin reports."""
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

    async def begin(self) -> None:
        """Tell the handler the settings that the module starts with, in turn with what comes from the twin."""
        async with self._lock:
            await self._apply(self.current)

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

    def local(self) -> Mapping[str, object]:
        """The local settings, as reported."""
        return report(self._desired.local)

    async def change_here(self, patch: object, *, who: str, why: str, at: str) -> None:
        """Change settings on the gateway, over the twin; on disk when it returns.

        `patch` is one of the twin's `settings`; a null takes a local change back. Raises SettingsError when it cannot
        be used, OSError when it cannot be kept; nothing has changed then.
        """
        async with self._lock:
            new = self._desired.changed_here(patch, who=who, why=why, at=at)
            await self._take_here(new)
            log.info("settings changed here by %s, over version %s of the twin: %s", who, new.good_version, patch)

    async def clear_here(self, *, who: str) -> None:
        """Take all local changes back, and forget those that were overridden. Raises as `change_here`."""
        async with self._lock:
            await self._take_here(self._desired.cleared())
            log.info("local settings cleared by %s", who)

    async def _pull(self) -> None:
        twin = await self._read()
        reported = (twin.get("reported") or {}).get(LOCAL)
        names = set(reported) if isinstance(reported, Mapping) else set()
        if lost := gone(self._desired.local, names - self._reported):
            log.warning("the twin reports local settings that are not set here any more: %s", ", ".join(sorted(lost)))
        self._reported |= names
        await self._take(self._desired.pulled(twin.get("desired") or {}))

    async def _take(self, new: Desired[S]) -> None:
        before = self._desired
        if not new.error and new.settings != before.settings:
            try:
                await self._apply(new.settings)
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
        if new.local != before.local:
            self._say_what_ended(before.local, new.local)
            self._keep_what_ended(new)
        await self._tell()

    async def _take_here(self, new: Desired[S]) -> None:
        """Apply and keep what was changed here, or neither."""
        before = self._desired
        if new.local == before.local:
            return
        if new.settings != before.settings:
            await self._apply(new.settings)
        try:
            self._kept.save(to_json(new.local))
        except OSError:
            if new.settings != before.settings:
                await self._apply(before.settings)
            raise
        self._desired = new
        await self._tell()

    async def _apply(self, settings: S) -> None:
        if self.handler is not None:
            answer = self.handler(settings)
            if inspect.isawaitable(answer):
                await answer

    async def _tell(self) -> None:
        """Report how it stands with the twin, and every local setting."""
        local = self._desired.local
        patch = self._desired.report()
        if local or self._reported:
            patch[LOCAL] = report(local) | gone(local, self._reported)
        self._reported = set(report(local))
        await self._report(patch)

    def _say_what_ended(self, before: Locals, after: Locals) -> None:
        known = {each.path: each for each in before if each.in_force}
        for each in after:
            if not each.in_force and each.path in known:
                why = (
                    f"version {each.version} of the twin"
                    if each.version
                    else "it does not fit this version of the module"
                )
                log.warning(
                    "the local setting %s = %s of %s gives way: %s", ".".join(each.path), each.value, each.who, why
                )

    def _keep_what_ended(self, desired: Desired[S]) -> None:
        """What is lost with a kill here is settled again, alike, from the remembered twin."""
        try:
            self._kept.save(to_json(desired.local))
        except OSError as error:
            log.warning("local settings cannot be kept over a restart: %s", error)

    def _remember(self, desired: Desired[S]) -> None:
        if desired.error:
            return
        try:
            self._remembered.save(orjson.dumps({"version": desired.version, "wanted": desired.wanted}))
        except OSError as error:
            log.warning("settings cannot be remembered over a restart: %s", error)

    def _recall(self, fresh: Desired[S]) -> Desired[S]:
        """Go on with the last good twin and the local settings, for a module that starts while edgeHub is away."""
        kept, remembered = _load(self._kept), _load(self._remembered)
        local = () if kept is None else from_json(kept)
        twin = None
        if remembered is not None:
            document = orjson.loads(remembered)
            twin = {"settings": document["wanted"], "$version": document["version"]}
        recalled = fresh.recalled(local, twin)
        if twin is not None and recalled.version is None:
            log.warning("remembered settings of the twin do not fit this version of the module and are left")
        self._say_what_ended(local, recalled.local)
        return recalled


def _load(snapshot: Snapshot) -> bytes | None:
    try:
        return snapshot.load()
    except OSError as error:
        log.warning("%s cannot be read: %s", snapshot.path, error)
        return None
