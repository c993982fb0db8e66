"""The Docker engine of this machine, through the Docker SDK (`pip install docker`), which is needed for this alone."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localhub.agent.creation import OWNER_LABEL, Site

if TYPE_CHECKING:
    import docker

SDK = "docker>=7.2,<8"
CALL_S = 60.0


class EngineError(Exception):
    """Containers cannot be had; the text says why, in the engine's words where it has said some, and what to do."""


class Engine:
    """The calls that localhub makes. All of them block; each may be made from any thread.

    Raises EngineError: at making when the SDK or the engine is missing, at calls when the engine refuses.
    """

    def __init__(self) -> None:
        try:
            import docker  # noqa: PLC0415  optional
        except ImportError as error:
            raise EngineError(f"--containers needs the Docker SDK for Python: pip install '{SDK}'") from error
        self._errors = docker.errors
        try:
            _knock(docker.utils.parse_host(os.environ.get("DOCKER_HOST") or None))
            # An output that is silent for an hour is no error: the streams' client has no timeout.
            self.api: docker.APIClient = docker.from_env(version="auto", timeout=CALL_S).api
            self._streams: docker.APIClient = docker.from_env(version=self.api.api_version, timeout=None).api
        except (docker.errors.DockerException, OSError) as error:
            raise EngineError(
                f"no Docker engine answers ({error}): start one (Debian: apt-get install docker.io), "
                "or set DOCKER_HOST to its socket"
            ) from error

    def fetch(self, images: Iterable[str], credentials: Sequence[Mapping[str, str]] = ()) -> None:
        """Have every image on this machine: what is not there is pulled, with the manifest's registryCredentials."""
        for image in images:
            try:
                self.api.inspect_image(image)
                continue
            except self._errors.ImageNotFound:
                pass
            server = image.partition("/")[0]
            known = next((each for each in credentials if each.get("address") == server and each.get("username")), None)
            login = {"username": known["username"], "password": known["password"]} if known else None
            with self._refusals(f"image {image} is not on this machine and cannot be pulled", hint="build it first"):
                self.api.pull(image, auth_config=login)

    def remove_leftovers(self, site: Site) -> list[str]:
        """Remove the containers of an earlier run; the names of those that were still running."""
        with self._refusals("the containers of an earlier run cannot be removed"):
            found = self.api.containers(all=True, filters={"label": f"{OWNER_LABEL}={site.owner}"})
            for each in found:
                self.api.remove_container(each["Id"], force=True, v=True)
            return [each["Names"][0].removeprefix(f"/{site.prefix}-") for each in found if each["State"] == "running"]

    def remove_volumes(self, site: Site) -> None:
        """Remove the data of a site's modules."""
        with self._refusals("the volumes of an earlier run cannot be removed"):
            self.remove_leftovers(site)
            for each in self.api.volumes(filters={"name": f"{site.prefix}-"})["Volumes"] or ():
                self.api.remove_volume(each["Name"])

    def make_network(self, site: Site) -> str:
        """The site's bridge network, made anew; its gateway's address, which this machine has.

        Ports are published on loopback unless createOptions name an address.
        """
        with self._refusals("the containers' network cannot be made"):
            self.remove_network(site)
            self.api.create_network(
                site.network,
                driver="bridge",
                labels={OWNER_LABEL: site.owner},
                options={"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"},
            )
            gateway: str = self.api.inspect_network(site.network)["IPAM"]["Config"][0]["Gateway"]
            return gateway

    def remove_network(self, site: Site) -> None:
        """Remove the site's network if it is there."""
        with contextlib.suppress(self._errors.NotFound):
            self.api.remove_network(site.network)

    def place(self, name: str, config: Mapping[str, Any], digest_label: str) -> str:
        """A container of this name made from `config`, the earlier one where it was made from the same; its id.

        So a restart keeps what a module wrote into its own file system, as on a gateway.
        """
        with self._refusals(f"container {name} cannot be made"):
            try:
                there = self.api.inspect_container(name)
            except self._errors.NotFound:
                there = None
            wanted = config["Labels"][digest_label]
            if there and there["Config"]["Labels"].get(digest_label) == wanted and not there["State"]["Running"]:
                return str(there["Id"])
            if there:
                self.api.remove_container(there["Id"], force=True, v=True)
            return str(self.api.create_container_from_config(dict(config), name=name)["Id"])

    def start(self, container: str) -> tuple[Iterator[bytes], int]:
        """Start it; its output from the first byte, as it comes, and the id of its first process (0: it ended)."""
        with self._refusals("the container cannot be started"):
            output: Iterator[bytes] = self._streams.attach(container, stdout=True, stderr=True, stream=True)
            self.api.start(container)
            return output, int(self.api.inspect_container(container)["State"]["Pid"])

    def wait(self, container: str) -> tuple[int, bool]:
        """Wait for its end; its exit code, and whether the kernel ended it for its memory."""
        code = int(self._streams.wait(container)["StatusCode"])
        return code, bool(self.api.inspect_container(container)["State"]["OOMKilled"])

    def signal(self, container: str, name: str) -> None:
        """Send a signal to its first process; nothing happens when it has ended."""
        with contextlib.suppress(OSError):  # every refusal of the SDK is one too
            self.api.kill(container, name)

    @contextlib.contextmanager
    def _refusals(self, what: str, hint: str = "") -> Iterator[None]:
        try:
            yield
        except (self._errors.DockerException, OSError) as error:  # requests' errors are OSErrors
            said = getattr(error, "explanation", None) or error
            raise EngineError(f"{what}: {said}{'; ' if hint else ''}{hint}") from error


def _knock(host: str) -> None:
    """Raise OSError where nobody listens at the engine's socket: the SDK itself would leave its socket open there."""
    if host.startswith("http+unix://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(CALL_S)
            door.connect(host.removeprefix("http+unix://"))
