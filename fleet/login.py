"""Which hub, and who asks: the connection string, from where it stands.

It is looked for in this order: `--login TEXT`, `--login @FILE`, the variable IOTHUB_CONNECTION_STRING, the same name
in `.env` of the current folder (as iotedgedev and the Azure tools have it). Besides IoT Hub's three fields it may
have `CaFile=PATH`, the authority to trust for this hub alone; `localhub cloud login --fleet` prints one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fleet.exits import Exit, FleetError

VARIABLE: Final = "IOTHUB_CONNECTION_STRING"
AZURE: Final = (".azure-devices.net", ".azure-devices.cn", ".azure-devices.us")
_NEEDED: Final = ("HostName", "SharedAccessKeyName", "SharedAccessKey")
_CA_FILE: Final = "CaFile"

HELP: Final = f"""how python -m fleet knows the hub:

  --login TEXT       a connection string of a shared access policy, as `az iot hub connection-string show` prints it
  --login @FILE      the same from a file, so that it does not stand in the list of processes
  {VARIABLE}    in the environment, or in .env of the current folder

The first one found counts. For a localhub of this machine:

  python -m localhub cloud login --fleet > hub.txt
  python -m fleet status --login @hub.txt

Such a string ends in CaFile=PATH: the authority that signed localhub's certificate. It may stand in any connection
string; without it the usual authorities are trusted (REQUESTS_CA_BUNDLE is heeded).
"""


@dataclass(frozen=True, slots=True)
class Login:
    """A hub and a policy's key. `ca_file` None: the authorities that requests trusts."""

    host: str
    policy: str
    key: str = field(repr=False)
    ca_file: str | None = None

    @property
    def connection_string(self) -> str:
        """What the service SDK takes."""
        return f"HostName={self.host};SharedAccessKeyName={self.policy};SharedAccessKey={self.key}"

    @property
    def on_azure(self) -> bool:
        """Whether the hub is one of Azure's, by its name."""
        return self.host.partition(":")[0].lower().endswith(AZURE)


def parse(text: str) -> Login:
    """A connection string; raises FleetError."""
    pairs = [part.partition("=")[::2] for part in text.strip().split(";") if part]
    fields = dict(pairs)
    missing = [name for name in _NEEDED if not fields.get(name)]
    if missing or len(fields) != len(pairs):
        what = f"has no {', '.join(missing)}" if missing else "names a field twice"
        raise FleetError(f"the connection string {what}; see: python -m fleet help login", Exit.ACCESS)
    return Login(fields["HostName"], fields["SharedAccessKeyName"], fields["SharedAccessKey"], fields.get(_CA_FILE))


def find(given: str | None, environ: Mapping[str, str], folder: Path) -> Login:
    """The login that counts, of what was given, of the environment, and of `.env` in a folder; raises FleetError."""
    text = _read(Path(given[1:])) if given and given.startswith("@") else given
    text = text or environ.get(VARIABLE) or _from_dotenv(folder / ".env")
    if not text:
        raise FleetError(f"no hub is named: --login, {VARIABLE} or .env; see: python -m fleet help login", Exit.USAGE)
    return parse(text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FleetError(f"{path}: {error.strerror}", Exit.CONTENT) from error


def _from_dotenv(path: Path) -> str:
    if not path.is_file():
        return ""
    lines = (line.partition("=")[::2] for line in _read(path).splitlines())
    return next((value.strip().strip("\"'") for name, value in lines if name.strip() == VARIABLE), "")
