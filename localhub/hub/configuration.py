"""Which routes are in force: the manifest's at first, then what `$edgeHub`'s desired properties say, at run time too.

As in edgeHub there are two moments of refusal (edgehub-contract 5.12). A document that does not parse is answered with
status 400; one whose conditions do not compile has been answered with 200 already, and only the log tells. Either way
the routes before stay in force, over restarts of the hub too: what was last in force is kept on disk.

Unlike edgeHub, a queue stays when its last route goes: what was accepted is delivered.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from localhub.hub.routing import ManifestRouter, RoutesRefused, desired_of
from localhub.routes import ConfigCompileError, ConfigRefusedError
from localhub.twin import Document, Properties, canonical

IN_FORCE = "routes"  # the fact: the document in force, and the manifest's section that it came from or changed

OK, REFUSED = 200, 400

log = logging.getLogger(__name__)


class Facts(Protocol):
    """Small facts on the hub's disk."""

    def fact(self, name: str) -> bytes | None:
        """What was kept under a name."""

    def keep(self, values: Mapping[str, bytes]) -> Awaitable[None]:
        """Keep values by name; resolves when they are on disk."""


class Configured(Protocol):
    """Where the outcome is reported."""

    def __call__(self, desired_version: int, code: int, description: str) -> None:
        """Which version was answered with which status."""


class Configuration:
    """Puts documents in force in a router, and remembers the last good one."""

    def __init__(self, router: ManifestRouter, manifest: Path) -> None:
        self._router = router
        self._manifest = manifest
        self._section = b""
        self._saving: set[asyncio.Future[None]] = set()

    def start(self, facts: Facts, configured: Configured, known: Callable[[], Properties]) -> None:
        """Put in force what was so when the hub last ran, or the manifest when that has changed; raises RoutesRefused.

        `known` gives $edgeHub's desired properties as the hub has them by now; version 0: it has none.
        """
        self._facts, self._configured, self._known = facts, configured, known
        section = desired_of(self._manifest)
        self._section = canonical(section)
        kept = msgspec.json.decode(facts.fact(IN_FORCE) or b"{}")
        unchanged = kept.get("section") == self._section.decode()
        self._take_or_refuse(kept["document"] if unchanged else section)
        desired = known()
        if unchanged and desired.version:  # else the cloud will bring the new section as the next version
            self.take(desired.document, desired.version)

    def reload(self) -> None:
        """Take the manifest again; raises RoutesRefused, and reports it."""
        section = desired_of(self._manifest)
        version = self._known().version
        try:
            self._take_or_refuse(section)
        except RoutesRefused as error:
            self._configured(version, REFUSED, str(error))
            raise
        self._section = canonical(section)
        self._configured(version, OK, "")
        self._keep(section)

    def take(self, document: Document, version: int) -> None:
        """Desired properties have come; refusals are reported and logged, never raised."""
        try:
            self._router.take(document)
        except ConfigRefusedError as error:
            log.error("version %d of the routes is refused, those before stay: %s", version, error)  # noqa: TRY400
            self._configured(version, REFUSED, str(error))
            return
        except ConfigCompileError as error:
            log.error("version %d of the routes does not compile, those before stay: %s", version, error)  # noqa: TRY400
            self._configured(version, OK, "")
            return
        log.info("version %d of the routes is in force: %d routes", version, self._router.routes)
        self._configured(version, OK, "")
        self._keep(document)

    def _take_or_refuse(self, document: Document) -> None:
        try:
            self._router.take(document)
        except (ConfigRefusedError, ConfigCompileError) as error:
            raise RoutesRefused(str(error)) from error

    def _keep(self, document: Document) -> None:
        kept = msgspec.json.encode({"section": self._section.decode(), "document": document})
        saving = asyncio.ensure_future(self._facts.keep({IN_FORCE: kept}))
        self._saving.add(saving)
        saving.add_done_callback(self._saved)

    def _saved(self, saving: asyncio.Future[None]) -> None:
        self._saving.discard(saving)
        if not saving.cancelled() and saving.exception() is not None:
            log.warning("the routes in force could not be kept: %s", saving.exception())
