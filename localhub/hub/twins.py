"""The hub's copy of every twin: answers modules at once, also while the cloud is away, and keeps both sides equal.

Of desired properties the cloud is the owner: its patches are taken in order of `$version` and handed on to the module;
at every connection the cloud sends all twins and the module gets the difference. Of reported properties the hub is the
owner: a patch is merged, put on disk, answered, and what the cloud's copy lacks goes up as soon as the link is there.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from localhub import link
from localhub.hub.pump import LinkDown
from localhub.identity import Identity
from localhub.twin import Document, Properties, Twin, difference

FIRST_SYNC_S = 5.0  # a GET waits so long for the first word of the cloud; the SDK itself waits for ever

INDEX = "twins"  # the fact that lists whose twins are kept

NEW = Twin(Properties({}, 0), Properties({}, 1))  # the cloud's first desired version is 1

log = logging.getLogger(__name__)


class Facts(Protocol):
    """Small facts on the hub's disk."""

    def fact(self, name: str) -> bytes | None:
        """What was kept under a name."""

    def keep(self, values: Mapping[str, bytes]) -> Awaitable[None]:
        """Keep values by name; the awaitable resolves when they are on disk. A later call wins over an earlier one."""


class Reporter(Protocol):
    """What twins need of the uplink."""

    @property
    def is_up(self) -> bool:
        """Whether the cloud is connected."""

    @property
    def is_set_down(self) -> bool:
        """Whether there is no use in waiting for it."""

    async def report(self, identity: Identity, patch: Document, version: int) -> None:
        """Send a reported patch; raises LinkDown."""

    def reconnect(self, reason: str) -> None:
        """Begin again, with a comparison of all twins."""


class HubTwins:
    """Twins of the gateway's modules and leaf devices. `changed` is told of each desired patch, in order."""

    def __init__(
        self,
        facts: Facts,
        uplink: Reporter,
        changed: Callable[[Identity, Document, int], None],
        report_every_s: float = 0.0,
    ) -> None:
        self._report_every_s = report_every_s
        self._facts = facts
        self._uplink = uplink
        self._changed = changed
        self._twins = _load(facts)
        self._at_cloud: dict[Identity, Document] = {}  # reported, as this connection's cloud has it
        self._reporting: dict[Identity, asyncio.Task[None]] = {}
        self._saving: set[asyncio.Future[None]] = set()
        self._synced = asyncio.Event()
        self._followers: set[asyncio.Event] = set()

    async def get(self, identity: Identity) -> Twin:
        """The twin as far as it is known here; waits a little for the cloud when nothing is."""
        if self._twins.get(identity) is None and not self._synced.is_set() and not self._uplink.is_set_down:
            try:
                async with asyncio.timeout(FIRST_SYNC_S):
                    await self._synced.wait()
            except TimeoutError:
                log.warning("the twin of %s is empty so far: the cloud has never been reached", identity)
        return self._twins.get(identity) or NEW

    def reported(self, identity: Identity) -> Document:
        """Reported properties as they are known here."""
        return self._twins.get(identity, NEW).reported.document

    def known_desired(self, identity: Identity) -> Properties:
        """Desired properties as they are known here; version 0: the cloud has never spoken of them."""
        return self._twins.get(identity, NEW).desired

    async def follow(self, identity: Identity) -> AsyncIterator[Properties]:
        """Desired properties as soon as they are known, and again after each change, without end."""
        news = asyncio.Event()
        self._followers.add(news)
        try:
            seen = 0
            while True:
                news.clear()
                desired = self.known_desired(identity)
                if desired.version != seen:
                    seen = desired.version
                    yield desired
                else:
                    await news.wait()
        finally:
            self._followers.discard(news)

    async def report(self, identity: Identity, patch: Document) -> None:
        """Merge a patch into reported properties; returns when it is on disk. The cloud hears of it by and by."""
        twin = self._twins.get(identity) or NEW
        twin = replace(twin, reported=twin.reported.patched(patch))
        await self._keep(identity, twin)
        self._forward(identity)

    def synced(self, states: Sequence[link.TwinState]) -> None:
        """Compare with what the cloud says at the beginning of a connection."""
        self._at_cloud = {}
        for state in states:
            identity = Identity(state.device, state.module)
            self._at_cloud[identity] = msgspec.json.decode(state.reported)
            known = self._twins.get(identity)
            if known is None:  # this hub has lost its store: it takes over what the cloud remembers
                known = replace(NEW, reported=Properties(self._at_cloud[identity], state.reported_version))
            self._take_desired(identity, known, msgspec.json.decode(state.desired), state.desired_version)
        self._synced.set()
        for identity in self._twins:
            self._forward(identity)

    def desired(self, frame: link.Desired) -> None:
        """Take a patch when it follows on what is here; compare everything again when one is missing."""
        identity = Identity(frame.device, frame.module)
        twin = self._twins.get(identity) or NEW
        if frame.version > twin.desired.version + 1:
            self._uplink.reconnect(f"desired version {frame.version} of {identity} came after {twin.desired.version}")
        elif frame.version == twin.desired.version + 1:
            patch = msgspec.json.decode(frame.patch)
            self._save(identity, replace(twin, desired=twin.desired.patched(patch)))
            self._changed(identity, patch, frame.version)

    def _take_desired(self, identity: Identity, known: Twin, document: Document, version: int) -> None:
        patch = difference(known.desired.document, document)
        if patch or known.desired.version != version:
            self._save(identity, replace(known, desired=Properties(document, version)))
            self._changed(identity, patch, version)

    def _keep(self, identity: Identity, twin: Twin) -> Awaitable[None]:
        self._twins[identity] = twin
        for follower in self._followers:
            follower.set()
        return self._facts.keep(
            {_name(identity): msgspec.json.encode(twin), INDEX: msgspec.json.encode(list(self._twins))}
        )

    def _save(self, identity: Identity, twin: Twin) -> None:
        """Keep without waiting: of desired properties the cloud has the original."""
        saving = asyncio.ensure_future(self._keep(identity, twin))
        self._saving.add(saving)
        saving.add_done_callback(self._saved)

    def _saved(self, saving: asyncio.Future[None]) -> None:
        self._saving.discard(saving)
        if not saving.cancelled() and saving.exception() is not None:
            log.warning("a twin's copy could not be written: %s", saving.exception())

    def _forward(self, identity: Identity) -> None:
        """Send the cloud what its copy lacks, one patch at a time, so that what comes meanwhile is taken together."""
        if self._uplink.is_up and identity not in self._reporting:
            task = asyncio.create_task(self._bring_up_to_date(identity))
            self._reporting[identity] = task

    async def _bring_up_to_date(self, identity: Identity) -> None:
        try:
            while patch := difference(self._at_cloud.get(identity, {}), self._twins[identity].reported.document):
                if self._report_every_s:  # what comes in the meantime goes with it
                    await asyncio.sleep(self._report_every_s)
                    patch = difference(self._at_cloud.get(identity, {}), self._twins[identity].reported.document)
                reported = self._twins[identity].reported
                self._at_cloud[identity] = reported.document
                await self._uplink.report(identity, patch, reported.version)
        except LinkDown:
            pass  # the next connection begins with a comparison
        finally:
            del self._reporting[identity]


def _load(facts: Facts) -> dict[Identity, Twin]:
    twins = {}
    for identity in msgspec.json.decode(facts.fact(INDEX) or b"[]", type=list[Identity]):
        stored = facts.fact(_name(identity))
        if stored is not None:
            twins[identity] = msgspec.json.decode(stored, type=Twin)
    return twins


def _name(identity: Identity) -> str:
    return f"twin:{identity}"
