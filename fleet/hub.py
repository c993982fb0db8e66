"""The hub, asked through azure-iot-hub: documents in and out, patience with a busy hub, errors for a person."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from azure.iot.hub import IoTHubConfigurationManager, IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, Configuration, ConfigurationContent, QuerySpecification, Twin
from msrest.exceptions import ClientRequestError, HttpOperationError

from fleet import backoff
from fleet.exits import Exit, FleetError
from fleet.login import Login

Document = dict[str, Any]
T = TypeVar("T")

CONNECT_S: Final = 10.0
ANSWER_S: Final = 100.0
METHOD_S: Final = 630.0  # a method's connection and response timeouts are 300 s each at most

_OUTCOMES: Final[Mapping[int, Exit]] = {401: Exit.ACCESS, 403: Exit.ACCESS}


class RefusedError(FleetError):
    """The hub answered, and not with what was asked. `status` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text, _OUTCOMES.get(status, Exit.BUSY if status in backoff.WAITABLE else Exit.REFUSED))
        self.status = status


class Hub:
    """One hub. Its methods may be called from several threads; each raises FleetError.

    `tries` is how often a hub that is busy is asked; `told` takes a line for each wait.
    """

    def __init__(self, login: Login, *, tries: int, told: Callable[[str], None] = lambda _line: None) -> None:
        self._tries, self._told = tries, told
        self._registry = _client(IoTHubRegistryManager, login, ANSWER_S)
        self._methods = _client(IoTHubRegistryManager, login, METHOD_S)
        self._configurations = _client(IoTHubConfigurationManager, login, ANSWER_S)

    def close(self) -> None:
        """Close the connections of this thread; those of others close when their threads end."""
        for client in (self._registry, self._methods, self._configurations):
            client.protocol.close()

    def twin(self, device: str, module: str | None = None) -> Document:
        """A twin."""
        if module is None:
            return _document(self._ask(lambda: self._registry.get_twin(device)))
        return _document(self._ask(lambda: self._registry.get_module_twin(device, module)))

    def patch_twin(self, device: str, module: str | None, patch: Document, etag: str = "*") -> Document:
        """Merge {"tags", "properties": {"desired"}} into a twin, while it has the etag; the twin."""
        twin = Twin.deserialize(patch)
        if module is None:
            return _document(self._ask(lambda: self._registry.update_twin(device, twin, etag)))
        return _document(self._ask(lambda: self._registry.update_module_twin(device, module, twin, etag)))

    def query(self, text: str, page: int) -> Iterator[list[Document]]:
        """What a query finds, a page at a time; a page may be empty, and the next one not."""
        get, token = self._registry.protocol.query.get_twins, None
        while True:
            # As it came: the SDK's model of a twin leaves out its `configurations`.
            found = self._ask(partial(get, QuerySpecification(query=text), token, page, raw=True))
            yield found.response.json()
            token = found.headers["x-ms-continuation"]
            if not token:
                return

    def invoke(self, device: str, module: str | None, name: str, payload: Any, timeout_s: int, connect_s: int) -> Any:
        """A direct method; {"status", "payload"}."""
        method = CloudToDeviceMethod(
            method_name=name,
            payload=payload,
            response_timeout_in_seconds=timeout_s,
            connect_timeout_in_seconds=connect_s,
        )
        # Not asked again when the connection broke: it may have been done.
        if module is None:
            answer = self._ask(lambda: self._methods.invoke_device_method(device, method), broken=False)
        else:
            answer = self._ask(lambda: self._methods.invoke_device_module_method(device, module, method), broken=False)
        return {"status": answer.status, "payload": answer.payload}

    def set_modules(self, device: str, modules_content: Document) -> None:
        """Give one gateway its modules, as `az iot edge set-modules` does."""
        content = ConfigurationContent(modules_content=modules_content)
        self._ask(lambda: self._configurations.apply_configuration_on_edge_device(device, content))

    def deployment(self, name: str) -> Document | None:
        """An automatic deployment with its metrics; None where there is none of that name."""
        try:
            return _document(self._ask(lambda: self._configurations.get_configuration(name)))
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def deployments(self) -> list[Document]:
        """All automatic deployments: a hub has at most 100."""
        return [_document(one) for one in self._ask(lambda: self._configurations.get_configurations(100))]

    def put_deployment(self, document: Document, etag: str | None) -> Document:
        """Make one, or change it while it has the etag."""
        wanted = Configuration.deserialize(document)
        if etag is None:
            return _document(self._ask(lambda: self._configurations.create_configuration(wanted)))
        return _document(self._ask(lambda: self._configurations.update_configuration(wanted, f'"{etag}"')))

    def delete_deployment(self, name: str, etag: str) -> None:
        """Take one away while it has the etag."""
        self._ask(lambda: self._configurations.delete_configuration(name, f'"{etag}"'))

    def _ask(self, call: Callable[[], T], *, broken: bool = True) -> T:
        """Ask, and ask again a hub that is busy; `broken`: also when the connection breaks."""
        for attempt in range(1, self._tries + 1):
            try:
                return call()
            except HttpOperationError as error:
                status, text = error.response.status_code, _words(error.response)
                if status not in backoff.WAITABLE or attempt == self._tries:
                    raise RefusedError(status, f"the hub said {status}: {text}") from error
                wait = backoff.pause(attempt, backoff.asked(error.response.headers, datetime.now(UTC)), _jitter())
                self._told(f"the hub said {status}, asking again in {wait:.1f} s ({attempt} of {self._tries})")
            except ClientRequestError as error:
                if not broken or attempt == self._tries or "certificate" in str(error).lower():
                    raise FleetError(f"the hub does not answer: {_cause(error)}", Exit.AWAY) from error
                wait = backoff.pause(attempt, None, _jitter())
                self._told(f"the hub does not answer, asking again in {wait:.1f} s ({attempt} of {self._tries})")
            time.sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")


def progress(quiet: bool) -> Callable[[str], None]:  # noqa: FBT001  --quiet as it was given
    """Takes lines of progress: to standard error, or nowhere."""
    return (lambda _line: None) if quiet else (lambda line: print(line, file=sys.stderr, flush=True))


def _client(kind: type[Any], login: Login, answer_s: float) -> Any:
    """A manager of the SDK that asks once and waits so long for an answer; raises FleetError."""
    try:
        client = kind.from_connection_string(login.connection_string)
    except ValueError as error:
        raise FleetError(f"the connection string: {error}", Exit.ACCESS) from error
    config = client.protocol.config
    config.retry_policy.retries = 0  # patience is ours, and knows Retry-After
    config.retry_policy.policy.status_forcelist = frozenset()
    config.connection.timeout = (CONNECT_S, answer_s)
    if login.ca_file:
        config.connection.verify = login.ca_file
    return client


def _document(model: Any) -> Document:
    """A model of the SDK as the document that it came from; null stands for what was not there, and is left out."""
    document: Document = model.serialize(keep_readonly=True)
    return document


def _words(response: Any) -> str:
    """What the hub gives as its reason."""
    try:
        said = json.loads(response.text)
        return str(said.get("ExceptionMessage") or said.get("Message") or said)
    except (ValueError, AttributeError):
        return str(getattr(response, "reason", "") or "no reason")


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(error)


def _jitter() -> float:
    return random.random()  # noqa: S311  spreads those who wait; no secret
