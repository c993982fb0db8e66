"""User and password of a network camera: in a mounted file, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field

from modules.camera.sources.source import SourceError, SourceSettings

LONGEST = 1024


class NetworkSettings(SourceSettings):
    """What can be set for every network camera besides its address."""

    url: str
    credentials_file: Path | None = Field(
        None, title="Credentials", description="a mounted file of one line, user:password", examples=["/run/camera1"]
    )
    timeout_s: float = Field(5.0, ge=0.5, le=60, title="Silence that counts as dead", description="seconds")

    def address(self) -> str:
        """As `with_login`, of these settings."""
        return with_login(self.url, self.credentials_file)


def with_login(url: str, file: Path | None) -> str:
    """``url`` with the ``user:password`` that is the first line of ``file``. That text must never leave the process.

    Read at each connection, so that a changed password needs no restart. Raises SourceError, without the password.
    """
    if file is None:
        return url
    try:
        with file.open(encoding="utf-8") as opened:
            user, colon, password = opened.readline(LONGEST).rstrip("\r\n").partition(":")
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}; mount the credentials file") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8 text; it holds one line, user:password") from error
    if not user or not colon:
        raise SourceError(f"{file} must hold one line, user:password")
    parts = urlsplit(url)
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"
    return urlunsplit(parts._replace(netloc=login))
