"""Which versions the settings name, which of them are here, and bringing the others: the module's side of updates.

What is on disk decides: a version runs when it was verified once, whatever clock, link or repository say now. One that
did not load, or failed at work, is left alone until the settings name another.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from modules.common.backoff import backoff
from modules.common.snapshot import Snapshot
from modules.inference.loading import TOOK_DOWN
from modules.inference.packages import Entry
from modules.inference.settings import InferenceSettings, Package
from modules.inference.updates.job import Job, follow
from modules.inference.updates.reasons import FINAL, LINK
from modules.inference.updates.store import Store

log = logging.getLogger(__name__)

_FIRST_S: Final = 5.0
_LONGEST_S: Final = 600.0

Report = dict[str, Any]


class Updating:
    """Follows the settings. `arrived` is awaited when a package has come, `changed` called when there is news."""

    def __init__(
        self,
        state: Path,
        *,
        arrived: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
        first_s: float = _FIRST_S,
    ) -> None:
        self.reports: dict[str, Report] = {}  # by name, docs/formats/model-updates.md
        self._state = state
        self._store = Store((state / "packages").resolve())
        self._arrived, self._changed, self._first_s = arrived, changed, first_s
        self._there: dict[str, Path] = {}  # verified packages, by target
        self._remembered = Snapshot(state / "versions")
        known = orjson.loads(self._remembered.load() or b"{}")
        self._current: dict[str, str] = known.get("current", {})  # the target that ran last, by name
        self._failed: dict[str, dict[str, str]] = known.get("failed", {})  # by name: target, reason, text
        self._wanted: dict[str, str] = {}
        self._settings: InferenceSettings | None = None
        self._news = asyncio.Event()
        self._fetching: tuple[str, asyncio.Future[Mapping[str, Any]]] | None = None

    async def apply(self, settings: InferenceSettings) -> dict[str, Package]:
        """The packages to run now: each in the version that the settings name, or the last one while that is not here.

        What is missing is fetched from now on.
        """
        changed = self._settings is None or self._settings.updates != settings.updates
        self._settings, self._wanted = settings, wanted(settings)
        for name in [name for name, failed in self._failed.items() if failed["target"] != self._wanted.get(name)]:
            del self._failed[name]
        self._current = {name: each for name, each in self._current.items() if name in settings.versions}
        for target in {*self._wanted.values(), *self._current.values()} - set(self._there):
            if (path := await asyncio.to_thread(self._store.find, target)) is not None:
                self._there[target] = path
        self.reports = {name: self.reports.get(name, {"wanted": target}) for name, target in self._wanted.items()}
        if self._fetching is not None and (changed or self._fetching[0] not in self._wanted.values()):
            self._fetching[1].cancel()
        self._news.set()
        return self._chosen(settings)

    def folder(self, target: str) -> Path | None:
        """Where a verified package lies; None while it is not here."""
        return self._there.get(target)

    def settle(self, entries: Mapping[str, Entry]) -> None:
        """Note what became of the packages that were to be loaded."""
        before = orjson.dumps([self._current, self._failed])
        for name in self._settings.versions if self._settings else ():
            entry, path = entries.get(name), self._there.get(self._wanted[name])
            if path is None or entry is None or entry.folder != path or name in self._failed:
                continue
            because = str(entry.loaded.get("because") or entry.error)
            if because == TOOK_DOWN:  # perhaps a power cut and no fault of the model: the next start tries it again
                self._tell(name, state="refused", reason="model", text=because)
            elif because:
                self._fail(name, "model", because)
            else:
                self._current[name] = self._wanted[name]
                self._tell(name, state="running")
        for name, target in self._wanted.items():
            if self._settings and name not in self._settings.versions and target in self._there:
                self._tell(name, state="here")  # a challenger: how it does is told under `trials`
        if orjson.dumps([self._current, self._failed]) != before:
            self._remember()

    def bound(self, used: Collection[Path]) -> None:
        """Let go of packages that nothing needs, beyond those that are to be kept. Blocks."""
        updates = None if self._settings is None else self._settings.updates
        if updates is None:
            return
        targets = {each for path in used if (each := self._store.target_of(path))}
        targets |= {*self._wanted.values(), *self._current.values()}
        for target in self._store.bound(targets, updates.kept):
            self._there.pop(target, None)
            log.info("package %s is no longer kept", target)

    async def run(self) -> None:
        """Fetch what is missing, for ever."""
        waits = backoff(first=self._first_s, longest=_LONGEST_S)
        pause: float | None = None
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._news.wait()
                waits = backoff(first=self._first_s, longest=_LONGEST_S)
            except TimeoutError:
                pass
            self._news.clear()
            reasons = await self._fetch_missing()
            pause = None
            if self._settings is not None and self._settings.updates is not None and reasons:
                pause = next(waits) if reasons & LINK else self._settings.updates.again_s

    async def _fetch_missing(self) -> set[str]:
        """Fetch each version that is not here; why some were refused and may be tried again."""
        reasons = set[str]()
        for name, target in list(self._wanted.items()):
            if self._news.is_set():
                break  # the settings have changed: begin anew
            if target not in self._there and name not in self._failed:
                reasons |= {await self._fetch(name, target)} - {""} - FINAL
        return reasons

    async def _fetch(self, name: str, target: str) -> str:
        """Fetch one; why it was refused, or nothing."""
        job = self._job(target)
        if job is None:
            self._tell(name, state="refused", reason="no_repository", text="the settings have no `updates`")
            return ""
        self._tell(name, state="fetching", step="metadata")
        fetching = asyncio.ensure_future(follow(job, lambda facts: self._progress(name, facts)))
        self._fetching = (target, fetching)
        try:
            await asyncio.wait({fetching})
        finally:
            self._fetching = None
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)
        if fetching.cancelled():
            return ""  # the settings have changed
        last = fetching.result()
        if "installed" in last:
            log.info("package %s was fetched and verified", target)
            self._there[target] = Path(last["installed"])
            self._tell(name, state="loading")
            await self._arrived()
            return ""
        reason, text = str(last["refused"]), str(last["text"])
        log.warning("update of %s to %s is refused: %s: %s", name, target, reason, text)
        if reason in FINAL:
            self._fail(name, reason, text)
            self._remember()
        else:
            self._tell(name, state="refused", reason=reason, text=text)
        return reason

    def _fail(self, name: str, reason: str, text: str) -> None:
        self._failed[name] = {"target": self._wanted[name], "reason": reason, "text": text}
        self._tell(name, state="refused", reason=reason, text=text)

    def _remember(self) -> None:
        self._remembered.save(orjson.dumps({"current": self._current, "failed": self._failed}))

    def _job(self, target: str) -> Job | None:
        updates = self._settings.updates if self._settings is not None else None
        if updates is None:
            return None
        state = self._state.resolve()
        return Job(
            target=target,
            url=updates.url,
            root=state / updates.root,  # an absolute path stays itself
            root_sha256=updates.root_sha256,
            ca=None if updates.ca is None else state / updates.ca,
            bytes_per_s=updates.bytes_per_s,
            largest=int(updates.package_mb * 1e6),
            folder=state / "updates",
            store=state / "packages",
        )

    def _chosen(self, settings: InferenceSettings) -> dict[str, Package]:
        chosen = dict(settings.packages)
        for name, target in settings.versions.items():
            here = None if name in self._failed else self._there.get(target)
            here = here or self._there.get(self._current.get(name, ""))
            if here is not None:
                base = chosen.get(name)
                chosen[name] = base.model_copy(update={"path": here}) if base else Package(path=here)
        for name, failed in self._failed.items():
            self._tell(name, state="refused", reason=failed["reason"], text=failed["text"])
        return chosen

    def _progress(self, name: str, facts: Mapping[str, Any]) -> None:
        if "step" in facts:
            self._tell(name, state="fetching", **facts)

    def _tell(self, name: str, **facts: Any) -> None:
        """Keep the newest, and say so where more has changed than the count of bytes."""
        before, after = self.reports.get(name, {}), {"wanted": self._wanted.get(name), **facts}
        self.reports[name] = after
        if {**before, "done": 0} != {**after, "done": 0}:
            self._changed()


def wanted(settings: InferenceSettings) -> dict[str, str]:
    """The targets that the settings name: by name of package, and `NAME:challenger` for those on trial."""
    # A twin takes no key with a blank.
    challengers = {f"{name}:challenger": each.target for name, each in settings.trials.items() if each.target}
    return {**settings.versions, **challengers}
