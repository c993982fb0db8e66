"""What a failure of the TUF client means."""

from typing import Final

from tuf.api import exceptions

from modules.inference.updates.reasons import Refused

_LENGTH: Final = 500  # a person reads no more, and a twin holds 32 KB

# The first that fits; TUF's types say which attack it was (tuf.api.exceptions).
_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (exceptions.BadVersionNumberError, "rollback"),
    (exceptions.ExpiredMetadataError, "expired"),
    (exceptions.UnsignedMetadataError, "signature"),
    (exceptions.DownloadLengthMismatchError, "oversize"),
    (exceptions.LengthOrHashMismatchError, "hash"),
    (exceptions.SlowRetrievalError, "slow"),
    (exceptions.DownloadHTTPError, "missing"),
    (exceptions.DownloadError, "link"),
)


def refusal(error: Exception) -> Refused:
    """The reason and words for an error of tuf.api.exceptions."""
    reason = next((name for kind, name in _REASONS if isinstance(error, kind)), "metadata")
    if isinstance(error, exceptions.DownloadHTTPError) and error.status_code >= 500:
        reason = "link"
    cause = "" if error.__cause__ is None or reason != "link" else f" ({error.__cause__})"
    return Refused(reason, f"{error}{cause}"[:_LENGTH])
