"""A message as routes see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from localhub.routes import utf16
from localhub.routes.jsonnet import NotJsonError, read_object
from localhub.routes.values import UNDEFINED

_ENCODINGS: Final = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a message, and through which output.

    Without `module` it is a leaf device. `twin_change` marks the event that edgeHub makes of a reported patch.
    """

    device: str = ""
    module: str | None = None
    output: str | None = None
    twin_change: bool = False

    @property
    def path(self) -> str:
        """The sender as edgeHub writes it for comparison with a route's source (Routing.Core/messageSources)."""
        if self.twin_change:
            return "/twinChangeNotifications/"
        if not self.module:
            return "/messages/"
        if self.output is None or not self.output.strip():
            return f"/messages/modules/{self.module.strip()}/"
        return f"/messages/modules/{self.module}/outputs/{self.output}".strip().rstrip("/") + "/"


class RoutingMessage:
    """What a route may look at: application properties, system properties, body and sender.

    System properties carry the long names (`messageId`, `contentType`, `contentEncoding`, `connectionDeviceId`,
    `connectionModuleId`, ...). Values may be None, which is a null property. Names are looked up in any case. The body
    is parsed at most once, when a condition first asks for it.
    """

    __slots__ = ("_folded", "_folded_system", "_root", "body", "path", "properties", "source", "system")

    def __init__(
        self,
        *,
        properties: Mapping[str, str | None] | None = None,
        system: Mapping[str, str | None] | None = None,
        body: bytes = b"",
        source: Sender | None = None,
    ) -> None:
        self.properties = properties if properties is not None else {}
        self.system = system if system is not None else {}
        self.body = body
        self.source = source if source is not None else Sender()
        self.path = utf16.upper(self.source.path)
        self._folded: dict[str, str | None] | None = None
        self._folded_system: dict[str, str | None] | None = None
        self._root: Any = None

    def property(self, name: str, folded: str) -> Any:
        """An application property; UNDEFINED where there is none. `folded` is `utf16.upper(name)`."""
        if name in self.properties:
            return self.properties[name]
        if self._folded is None:
            self._folded = {utf16.upper(key): value for key, value in self.properties.items()}
        return self._folded.get(folded, UNDEFINED)

    def system_property(self, name: str, folded: str) -> Any:
        """A system property; UNDEFINED where there is none."""
        if name in self.system:
            return self.system[name]
        if self._folded_system is None:
            self._folded_system = {utf16.upper(key): value for key, value in self.system.items()}
        return self._folded_system.get(folded, UNDEFINED)

    def in_body(self, find: Callable[[Any], Any]) -> Any:
        """What `find` gets out of the body's JSON object; UNDEFINED where the body cannot be asked."""
        if self._root is None:
            self._root = self._read_body()
        return UNDEFINED if self._root is UNDEFINED else find(self._root)

    def body_obstacle(self) -> str:
        """Why $body conditions cannot see the body, in words; empty where they can."""
        content_type = self.system_property("contentType", "CONTENTTYPE")
        if content_type is UNDEFINED or content_type is None:
            return "the sender set no content type; set application/json"
        if content_type.lower() != _JSON:
            return f"the content type is {content_type!r}; $body needs exactly application/json"
        encoding = self.system_property("contentEncoding", "CONTENTENCODING")
        if encoding is UNDEFINED or encoding is None:
            return "the sender set no content encoding; set utf-8"
        if encoding.lower() not in _ENCODINGS:
            return f"the content encoding is {encoding!r}; $body needs utf-8, utf-16 or utf-32"
        try:
            read_object(self.body, _ENCODINGS[encoding.lower()])
        except NotJsonError as error:
            return f"the body is no JSON object ({error})"
        return ""

    def _read_body(self) -> Any:
        content_type = self.system_property("contentType", "CONTENTTYPE")
        encoding = self.system_property("contentEncoding", "CONTENTENCODING")
        if not isinstance(content_type, str) or content_type.lower() != _JSON:
            return UNDEFINED
        codec = _ENCODINGS.get(encoding.lower()) if isinstance(encoding, str) else None
        if codec is None:
            return UNDEFINED
        try:
            return read_object(self.body, codec)
        except NotJsonError:
            return UNDEFINED
