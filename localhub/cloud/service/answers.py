"""What every answer of the service API shares: errors as IoT Hub words them, entity tags."""

from __future__ import annotations

import base64


class ServiceError(Exception):
    """An answer that is not 2xx; `code` is IoT Hub's name for it."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code = status, code

    def document(self) -> dict[str, str]:
        """The body, whose form the clients print."""
        return {"Message": f"ErrorCode:{self.code};{self}", "ExceptionMessage": f"{self}"}


def etag(version: int) -> str:
    """The tag of a version, as it stands in documents; in headers it stands in quotes."""
    return base64.b64encode(str(version).encode()).decode()


def check_match(if_match: str | None, version: int) -> None:
    """Whether an If-Match header, quoted or not, lets this version be changed; absent and `*` do.

    Raises ServiceError.
    """
    if if_match is None:
        return
    wanted = if_match.strip().strip('"')
    if wanted not in ("*", etag(version)):
        raise ServiceError(412, "PreconditionFailed", f"the etag is {etag(version)} by now, not {wanted}")
