"""The routes of the service API; what each asks and answers is IoT Hub's (api-version 2021-04-12 and 2024-03-31)."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localhub.cloud.server import OfflineError
from localhub.cloud.service import access
from localhub.cloud.service.answers import ServiceError, check_match
from localhub.cloud.service.content import check_whole, modules_content
from localhub.cloud.service.query import QueryError, Scope, parse
from localhub.cloud.service.registry import Entry
from localhub.cloud.service.service import Service
from localhub.cloud.service.twindocument import desired_of
from localhub.identity import Identity
from localhub.twin import PatchError, merge

PAGE: Final = 100
LARGEST_PAGE: Final = 1000
BODY_LIMIT: Final = 4 << 20  # bytes: a deployment's content may have 128 KB, a bulk of devices more
METHOD_S: Final = 30

Handler = Callable[[Request, Any], Awaitable[Response]]


class ServiceApi:
    """Answers for one hub. `key` is that of the policy, `hosts` are the names a token may be for."""

    def __init__(self, service: Service, *, key: str, hosts: Collection[str]) -> None:
        self._registry, self._documents = service.registry, service.documents
        self._configurations, self._delivery = service.configurations, service.delivery
        self._deployer, self._server, self._arrivals = service.deployer, service.server, service.arrivals
        self._key, self._hosts = key, hosts

    def app(self) -> Starlette:
        """The application."""
        device, module = "/devices/{device}", "/devices/{device}/modules/{module}"
        twin, module_twin = "/twins/{device}", "/twins/{device}/modules/{module}"
        table: list[tuple[str, str, Handler]] = [
            ("POST", "/devices/query", self.query),
            ("GET", "/devices", self.devices),
            *(("GET", path, self.identity) for path in (device, module)),
            *(("PUT", path, self.put_identity) for path in (device, module)),
            *(("DELETE", path, self.delete_identity) for path in (device, module)),
            ("GET", f"{device}/modules", self.modules),
            ("POST", f"{device}/applyConfigurationContent", self.apply),
            *(("GET", path, self.twin) for path in (twin, module_twin)),
            *(("PATCH", path, self.patch_twin) for path in (twin, module_twin)),
            *(("PUT", path, self.replace_twin) for path in (twin, module_twin)),
            *(("POST", f"{path}/methods", self.method) for path in (twin, module_twin)),
            ("GET", "/configurations", self.configurations),
            ("GET", "/configurations/{id}", self.configuration),
            ("PUT", "/configurations/{id}", self.put_configuration),
            ("DELETE", "/configurations/{id}", self.delete_configuration),
            ("GET", "/statistics/devices", self.statistics),
            ("GET", "/localhub/arrivals", self.arrivals),
        ]
        routes = [Route(path, self._guarded(handler), methods=[method]) for method, path, handler in table]
        return Starlette(routes=routes, exception_handlers={HTTPException: _unknown})

    async def query(self, request: Request, body: Any) -> Response:
        """POST /devices/query, page by page."""
        text = body.get("query") if isinstance(body, dict) else None
        try:
            query = parse(str(text or ""))
        except QueryError as error:
            raise ServiceError(400, "ArgumentInvalid", f"query: {error}") from error
        if query.counted is not None:
            count = sum(query.selects(twin) for twin in self._documents.twins(query.scope))
            return _answer([{query.counted: count}])
        limit = _page(request.headers.get("x-ms-max-item-count"))
        last, more = ("", ""), False
        found: list[dict[str, Any]] = []
        for entry in self._registry.walk(_continued(request), query.scope):
            twin = self._documents.twin(entry)
            if query.selects(twin):
                if len(found) == limit:
                    more = True
                    break
                found.append(query.row(twin))
                last = (entry.identity.device, entry.identity.module or "")
        headers = {"x-ms-item-type": "Twin" if query.columns is None else "Raw"}
        if more:
            headers["x-ms-continuation"] = base64.b64encode(json.dumps(last).encode()).decode()
        return _answer(found, headers=headers)

    async def devices(self, request: Request, _body: Any) -> Response:
        """GET /devices: at most `top`."""
        entries = self._registry.walk(("", ""), Scope())
        limit = _page(request.query_params.get("top"))
        return _answer([self._documents.identity(entry) for entry, _ in zip(entries, range(limit), strict=False)])

    async def identity(self, request: Request, _body: Any) -> Response:
        """GET one identity."""
        entry = self._registry.find(_named(request))
        return _answer(self._documents.identity(entry))

    async def put_identity(self, request: Request, body: Any) -> Response:
        """PUT one identity; a new module is answered with 201, a new device with 200, as `az` wants it."""
        entry, new = self._registry.put(_named(request), _object(body), request.headers.get("if-match"))
        self._configurations.apply(entry.identity.device)
        created = new and entry.identity.module is not None
        return _answer(self._documents.identity(entry), status=201 if created else 200)

    async def delete_identity(self, request: Request, _body: Any) -> Response:
        """DELETE one identity."""
        self._registry.delete(_named(request), request.headers.get("if-match"))
        return Response(status_code=204)

    async def modules(self, request: Request, _body: Any) -> Response:
        """GET a device's modules."""
        entries = self._registry.modules_of(request.path_params["device"])
        return _answer([self._documents.identity(entry) for entry in entries])

    async def apply(self, request: Request, body: Any) -> Response:
        """POST applyConfigurationContent, which is what set-modules does."""
        device = request.path_params["device"]
        entry = self._registry.find(Identity(device))
        if not entry.edge:
            raise ServiceError(400, "ArgumentInvalid", f"{device} is no IoT Edge device")
        content = modules_content(body)
        check_whole(content)
        self._delivery.deploy(device, content)
        return Response(status_code=204)

    async def twin(self, request: Request, _body: Any) -> Response:
        """GET one twin."""
        return self._twin_answer(self._registry.find(_named(request)))

    async def patch_twin(self, request: Request, body: Any) -> Response:
        """PATCH tags and desired properties; what else a tool sends back with its twin is not looked at."""
        entry, body = self._matched(request), _object(body)
        if isinstance(body.get("tags"), dict):
            self._registry.patch_tags(entry.identity.device, merge(entry.tags, body["tags"]))
        if (desired := desired_of(body)) is not None:
            self._changed(lambda: self._deployer.patch(entry.identity, desired))
        self._configurations.apply(entry.identity.device)
        return self._twin_answer(self._registry.find(entry.identity))

    async def replace_twin(self, request: Request, body: Any) -> Response:
        """PUT tags and desired properties whole."""
        entry, body = self._matched(request), _object(body)
        self._registry.patch_tags(entry.identity.device, _object(body.get("tags")))
        desired = _object(desired_of(body))
        self._changed(lambda: self._deployer.replace(entry.identity, desired))
        self._configurations.apply(entry.identity.device)
        return self._twin_answer(self._registry.find(entry.identity))

    async def method(self, request: Request, body: Any) -> Response:
        """POST a direct method; absent modules and timeouts are both 404, as IoT Hub has it."""
        entry, body = self._registry.find(_named(request)), _object(body)
        name = body.get("methodName")
        if not isinstance(name, str) or not name:
            raise ServiceError(400, "ArgumentInvalid", "methodName must be a text")
        payload = b"" if body.get("payload") is None else msgspec.json.encode(body["payload"])
        try:
            answer = await self._server.call(
                entry.identity,
                name,
                payload,
                response_timeout_s=_seconds(body, "responseTimeoutInSeconds", METHOD_S),
                connect_timeout_s=_seconds(body, "connectTimeoutInSeconds", 0),
            )
        except OfflineError as error:
            raise ServiceError(404, "DeviceNotOnline", str(error)) from error
        except TimeoutError:
            raise ServiceError(404, "GatewayTimeout", f"no answer from {entry.identity}") from None
        if answer.error is not None:
            raise ServiceError(404, "DeviceNotOnline", answer.error)
        return Response(
            b'{"status":%d,"payload":%b}' % (answer.status, answer.payload or b"null"), media_type="application/json"
        )

    async def configurations(self, request: Request, _body: Any) -> Response:
        """GET the automatic deployments."""
        return _answer(self._configurations.all(_page(request.query_params.get("top"))))

    async def configuration(self, request: Request, _body: Any) -> Response:
        """GET one."""
        return _answer(self._configurations.get(request.path_params["id"]))

    async def put_configuration(self, request: Request, body: Any) -> Response:
        """PUT one."""
        name = request.path_params["id"]
        document, new = self._configurations.put(name, _object(body), request.headers.get("if-match"))
        return _answer(document, status=201 if new else 200)

    async def delete_configuration(self, request: Request, _body: Any) -> Response:
        """DELETE one."""
        self._configurations.delete(request.path_params["id"], request.headers.get("if-match"))
        return Response(status_code=204)

    async def statistics(self, _request: Request, _body: Any) -> Response:
        """GET how many devices there are."""
        total, disabled = self._registry.count()
        counts = {"totalDeviceCount": total, "enabledDeviceCount": total - disabled, "disabledDeviceCount": disabled}
        return _answer(counts)

    async def arrivals(self, request: Request, _body: Any) -> Response:
        """GET the `last` so many arrivals of each `device` named, of a `kind`; IoT Hub has no such request."""
        asked = request.query_params
        count = _page(asked.get("last"))
        found = self._arrivals.after(-count, count, devices=asked.getlist("device"), kind=asked.get("kind"))
        return _answer(found)

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                access.check(request.headers.get("authorization"), self._key, self._hosts, time.time())
                return await handler(request, await _body(request))
            except ServiceError as error:
                return _answer(error.document(), status=error.status)

        return answer

    def _changed(self, change: Callable[[], object]) -> None:
        try:
            change()
        except PatchError as error:
            raise ServiceError(400, "ArgumentInvalid", str(error)) from error

    def _matched(self, request: Request) -> Entry:
        entry = self._registry.find(_named(request))
        version = self._documents.twin(entry)["version"]
        check_match(request.headers.get("if-match"), version)
        return entry

    def _twin_answer(self, entry: Entry) -> Response:
        document = self._documents.twin(entry)
        return _answer(document, headers={"ETag": f'"{document["etag"]}"'})


def _named(request: Request) -> Identity:
    return Identity(request.path_params["device"], request.path_params.get("module"))


def _object(value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise ServiceError(400, "ArgumentInvalid", "an object is wanted")
    return value or {}


def _seconds(body: Mapping[str, Any], name: str, default: int) -> float:
    """A number of seconds; `az` sends its default as text."""
    try:
        seconds = float(body.get(name, default))
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds <= 300:
        raise ServiceError(400, "ArgumentInvalid", f"{name} must be a number of seconds, at most 300")
    return seconds


def _page(given: str | None) -> int:
    if given is None:
        return PAGE
    if not given.isdecimal() or int(given) < 1:
        raise ServiceError(400, "ArgumentInvalid", "a page has 1 to 1000 items")
    return min(int(given), LARGEST_PAGE)


def _continued(request: Request) -> tuple[str, str]:
    token = request.headers.get("x-ms-continuation")
    if not token:
        return "", ""
    try:
        device, module = json.loads(base64.b64decode(token, validate=True))
        return str(device), str(module)
    except (binascii.Error, ValueError, TypeError):
        raise ServiceError(400, "ArgumentInvalid", "x-ms-continuation is none of ours") from None


async def _body(request: Request) -> Any:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT:
            raise ServiceError(413, "RequestEntityTooLarge", f"the body has more than {BODY_LIMIT} bytes")
    if not body.strip():
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServiceError(400, "ArgumentInvalid", f"the body is not JSON: {error}") from error


def _answer(document: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    data = msgspec.json.encode(document)
    return Response(data, status, media_type="application/json; charset=utf-8", headers=headers)


async def _unknown(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(
        ServiceError(error.status_code, "GenericNotFound", str(error.detail)).document(), status=error.status_code
    )
