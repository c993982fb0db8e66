"""Who may use the service API: one shared access policy, `iothubowner`, as every IoT Hub begins with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import unquote

from localhub import sas
from localhub.cloud.service.answers import ServiceError
from localhub.identity import new_key
from localhub.state import write_atomic

POLICY = "iothubowner"


def ensure_key(path: Path) -> str:
    """The policy's key (base64), made once."""
    if not path.exists():
        write_atomic(path, new_key().encode())
    return path.read_text().strip()


def connection_string(host: str, key: str) -> str:
    """What `--login` and `IoTHubRegistryManager.from_connection_string` take."""
    return f"HostName={host};SharedAccessKeyName={POLICY};SharedAccessKey={key}"


def check(header: str | None, key: str, hosts: Collection[str], now: float) -> None:
    """Check an Authorization header; `hosts` are the names that its audience may begin with. Raises ServiceError."""
    try:
        fields = sas.fields(header or "")
        reason = _reason(fields, hosts)
        sas.check_signature(fields, key)
        sas.check_expiry(fields, now)
    except sas.SasError as error:
        reason = error.reason
    if reason is not None:
        raise ServiceError(401, "IotHubUnauthorizedAccess", f"Unauthorized: {reason}")


def _reason(fields: Mapping[str, str], hosts: Collection[str]) -> str | None:
    audience = unquote(fields["sr"]).partition("/")[0].casefold()
    if audience not in {host.casefold() for host in hosts}:
        return f"the token is for {audience}, not for {' or '.join(hosts)}"
    return None if fields.get("skn") == POLICY else f"the token is not one of the policy {POLICY}"
