"""The state folder: where everything of one localhub lives, and the facts its processes share.

Everything is in one folder (default `.state`), so that a run is thrown away with `rm -r`. Only the unix sockets may
live elsewhere: their paths have to stay under the 108 bytes of `sockaddr_un`.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from localhub.manners import EDGEHUB, LOCALHUB, Manners

FACTS = "localhub.json"
GATEWAYS = "gateways"
LONGEST_RUN_PATH = 70  # leaves 38 of sockaddr_un's 108 bytes for the socket's own name
LONGEST_SOCKET_NAME = 24

DEFAULT_GATEWAY = "gw1"
DEFAULT_HUB_NAME = "localhub.azure-devices.net"
DEFAULT_ADDRESS = "127.0.0.1"


class StateError(Exception):
    """The state folder is missing or unreadable; the text says what to do next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Facts of one localhub, written by the supervisor at start and read by every other process and command.

    gateway is the edge device's id, hub_name the IOTEDGE_IOTHUBHOSTNAME, address the 127.x address that clients reach
    the hub at (IOTEDGE_GATEWAYHOSTNAME). metrics_port is the hub's /metrics port (0: not chosen yet), https_port the
    port for methods over HTTPS (None: do not serve them). strict: do as edgeHub does, also where that is worse. cloud
    is the run folder of the localhub whose cloud this gateway joins (None: it has its own).
    """

    root: Path
    run: Path
    gateway: str = DEFAULT_GATEWAY
    hub_name: str = DEFAULT_HUB_NAME
    address: str = DEFAULT_ADDRESS
    metrics_port: int = 0
    https_port: int | None = 443
    strict: bool = False
    cloud: Path | None = None

    @classmethod
    def prepare(cls, root: Path, **facts: Any) -> Self:
        """Make the folder and its run folder; facts not named here are taken over from an earlier run."""
        root = root.resolve()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        earlier = cls.load(root) if (root / FACTS).exists() else cls(root=root, run=_run_folder(root))
        state = replace(earlier, **facts)
        if not state.run.is_dir():  # a temp folder does not survive a reboot
            state = replace(state, run=_run_folder(root))
        state.save()
        return state

    @classmethod
    def load(cls, root: Path) -> Self:
        """Read the facts of a state folder; raises StateError when there is none or it is damaged."""
        root = root.resolve()
        try:
            facts = json.loads((root / FACTS).read_bytes())
            cloud = facts.get("cloud")
            return cls(**facts | {"root": root, "run": Path(facts["run"]), "cloud": cloud and Path(cloud)})
        except FileNotFoundError:
            raise StateError(
                f"{root} holds no localhub state: start one with `python -m localhub run MANIFEST`"
            ) from None
        except (ValueError, TypeError, KeyError) as error:
            raise StateError(f"{root / FACTS} is damaged ({error}): remove the folder or run with --fresh") from error

    def save(self) -> None:
        """Write the facts for the other processes."""
        cloud = None if self.cloud is None else str(self.cloud)
        facts = asdict(self) | {"root": str(self.root), "run": str(self.run), "cloud": cloud}
        write_atomic(self.root / FACTS, json.dumps(facts, indent=2).encode())

    @property
    def manners(self) -> Manners:
        """How its processes behave where localhub and edgeHub differ."""
        return EDGEHUB if self.strict else LOCALHUB

    @property
    def hub_names(self) -> tuple[str, ...]:
        """The hosts a SAS audience may name."""
        return (self.hub_name, self.address)

    @property
    def ca_certificate(self) -> Path:
        """The trust bundle of modules and leaf devices."""
        return self.root / "pki" / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """The key that signs server and leaf certificates."""
        return self.root / "pki" / "ca.key"

    @property
    def server_certificate(self) -> Path:
        """The hub's certificate, followed by the CA's."""
        return self.root / "pki" / "server.pem"

    @property
    def server_key(self) -> Path:
        """The hub's private key."""
        return self.root / "pki" / "server.key"

    def device_certificate(self, device: str) -> Path:
        """The certificate of a leaf device that was declared for one."""
        return self.root / "pki" / "devices" / f"{quote(device, safe='')}.pem"

    def device_key(self, device: str) -> Path:
        """The private key of that certificate."""
        return self.root / "pki" / "devices" / f"{quote(device, safe='')}.key"

    @property
    def identities(self) -> Path:
        """Keys of modules and devices."""
        return self.root / "identities.json"

    @property
    def manifest(self) -> Path:
        """The effective modulesContent: placeholders and layers resolved."""
        return self.root / "manifest.json"

    @property
    def hub_db(self) -> Path:
        """Queues, sessions and cached twins."""
        return self.root / "hub" / "hub.db"

    @property
    def cloud_db(self) -> Path:
        """Arrivals and twins."""
        return self.root / "cloud" / "cloud.db"

    def gateway_folder(self, name: str) -> Path:
        """The state folder of a gateway that was added to this localhub."""
        return self.root / GATEWAYS / quote(name, safe="")

    @property
    def gateways(self) -> list[Path]:
        """The state folders of all gateways that were added."""
        return sorted(facts.parent for facts in (self.root / GATEWAYS).glob(f"*/{FACTS}"))

    @property
    def agent(self) -> Path:
        """The agent's own folder: process ids of what it started."""
        return self.root / "agent"

    def module_folder(self, module: str) -> Path:
        """The folder that stands for a module's volume."""
        return self.root / "modules" / module

    def log(self, name: str) -> Path:
        """Where the output of a process goes."""
        return self.root / "logs" / f"{name}.log"

    @property
    def hub_socket(self) -> Path:
        """Control of the hub."""
        return self.run / "hub.sock"

    @property
    def cloud_socket(self) -> Path:
        """Control of the cloud."""
        return (self.cloud or self.run) / "cloud.sock"

    @property
    def link_socket(self) -> Path:
        """The link between hub and cloud."""
        return (self.cloud or self.run) / "cloud-link.sock"

    @property
    def link_setting(self) -> Path:
        """What the link was last set to; outlives a restart of the hub."""
        return self.run / "link.json"

    @property
    def agent_socket(self) -> Path:
        """Control of the agent."""
        return self.run / "agent.sock"

    @property
    def supervisor_socket(self) -> Path:
        """Control of the supervisor."""
        return self.run / "supervisor.sock"

    def remove_run_folder(self) -> None:
        """Remove the sockets' folder, when it had to be made outside the state folder."""
        if self.root not in self.run.parents:
            shutil.rmtree(self.run, ignore_errors=True)

    def workload_socket(self, module: str) -> Path:
        """The workload API of one module; apart from the control sockets, for a module may be called `hub`."""
        short = module if len(module) <= LONGEST_SOCKET_NAME else hashlib.sha256(module.encode()).hexdigest()[:16]
        return self.run / "w" / f"{short}.sock"


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace a file whole and durably: a reader, or a crash, sees the old bytes or the new, never a mixture."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _run_folder(root: Path) -> Path:
    run = root / "run"
    if len(os.fsencode(run)) >= LONGEST_RUN_PATH:
        run = Path(tempfile.mkdtemp(prefix="localhub-"))
    (run / "w").mkdir(mode=0o700, parents=True, exist_ok=True)
    return run
