"""What is common to all far ends: the error that says one cannot be had, and what is read from mounted files."""

from pathlib import Path


class FieldError(Exception):
    """The far end cannot be had now; the text says why, for a person, and names no credentials."""


def secret(path: Path) -> str:
    """The one line of a mounted secret. Raises FieldError that names the file and not what it says."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FieldError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error


def credentials(path: Path | None) -> tuple[str, str] | None:
    """User and password of a mounted file of one line, user:password. Raises FieldError."""
    if path is None:
        return None
    user, colon, password = secret(path).partition(":")
    if not colon:
        raise FieldError(f"{path} is not one line of user:password")
    return user, password
