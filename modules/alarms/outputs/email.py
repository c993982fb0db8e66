"""E-mail by SMTP: STARTTLS or TLS, and a login from a mounted file (aiosmtplib)."""

import asyncio
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import aiosmtplib
from pydantic import Field, model_validator

from modules.alarms.notice import Event, Notice
from modules.alarms.outputs.base import MessengerSettings, OutputError
from modules.common.field.reach import FieldError, credentials

Address = Annotated[str, Field(pattern=r"^[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]{1,250}$", examples=["shift@example.com"])]

_SUBJECT: Final = 150  # characters
_PERMANENT: Final = 500  # RFC 5321, 4.2.1: codes from here on stay


class Email(MessengerSettings):
    """People who get a mail."""

    type: Literal["email"]
    host: str = Field(title="Server", min_length=1, max_length=253)
    port: int = Field(587, ge=1, le=65_535, title="Port")
    security: Literal["starttls", "tls", "none"] = Field("starttls", title="Security")
    sender: Address = Field(title="From")
    to: tuple[Address, ...] = Field(title="To", min_length=1, max_length=50)
    credentials_file: Path | None = Field(
        None, title="Credentials", description="a mounted file of one line, user:password"
    )
    ca_file: Path | None = Field(None, title="CA", description="PEM; trusted in place of the system's")
    tell: tuple[Event, ...] = Field(
        ("begun",), title="Tell", description="events that are sent; a test always is", min_length=1
    )
    patience_s: float = Field(20.0, ge=0.1, le=300, title="Patience", description="seconds for one try")

    @model_validator(mode="after")
    def _no_open_password(self) -> Self:
        if self.security == "none" and self.credentials_file is not None:
            raise ValueError("a password is sent over TLS only: security starttls or tls")
        return self

    def make(self) -> "EmailMessenger":
        """The messenger to these people."""
        return EmailMessenger(self)


class EmailMessenger:
    """Sends a mail for each notice, on a connection of its own."""

    def __init__(self, settings: Email) -> None:
        self._settings = settings
        self.remark = ""

    async def send(self, notice: Notice) -> None:
        """Send. Raises OutputError, FieldError."""
        settings = self._settings
        where = f"{settings.host}:{settings.port}"
        pair = await asyncio.to_thread(credentials, settings.credentials_file)
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=settings.patience_s,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=None if settings.security == "none" else await asyncio.to_thread(self._context),
        )
        try:
            await client.connect()
            if pair is not None:
                await client.login(*pair)
            left_out, _ = await client.send_message(mail(notice, settings.sender, settings.to))
        except aiosmtplib.SMTPAuthenticationError as error:
            raise OutputError(f"{where}: user and password are refused ({error.code})") from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {each.code for each in error.recipients}
            refused = min(codes, default=0) >= _PERMANENT
            raise OutputError(f"{where}: all recipients are refused ({_list(codes)})", refused=refused) from error
        except aiosmtplib.SMTPResponseException as error:
            raise OutputError(f"{where}: {error.code} {error.message}", refused=_final(error)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise OutputError(f"{where}: {error}") from error
        finally:
            client.close()
        self.remark = f"refused by the server: {_list(left_out)}" if left_out else ""

    async def check(self) -> bool:
        """A mail server is asked for nothing but mail."""
        return False

    async def close(self) -> None:
        """Nothing is open between two mails."""

    def _context(self) -> ssl.SSLContext:
        file = self._settings.ca_file
        try:
            return ssl.create_default_context(cafile=None if file is None else str(file))
        except OSError as error:  # ssl.SSLError is one
            raise FieldError(f"{file} cannot be used: {error}") from error


def mail(notice: Notice, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The mail of a notice. Its Message-ID is the same however often it is sent."""
    message = EmailMessage()
    what = {"begun": notice.severity, "ended": "over", "test": "test"}[notice.event]
    subject = " ".join(f"[{notice.gateway or 'millwatch'}] {what}: {notice.source}: {notice.text}".split())
    message["From"], message["To"], message["Subject"] = sender, ", ".join(to), subject[:_SUBJECT]
    message["Date"] = format_datetime(datetime.fromisoformat(notice.at))
    message["Message-ID"] = f"<{notice.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday greeting answers it
    lines = [
        f"{notice.severity.upper()}: {notice.text}",
        notice.advice,
        "",
        f"Source    {notice.source}",
        f"Found by  {notice.module}, {notice.kind}",
        f"Since     {notice.since}",
        f"{notice.event.capitalize():<9} {notice.at}{f' ({notice.why})' if notice.why else ''}",
        f"Gateway   {notice.gateway}",
        f"Alert     {notice.alert}",
        *([f"Taken care of by {notice.by}"] if notice.by else []),
    ]
    message.set_content("\n".join(lines))
    return message


def _final(error: aiosmtplib.SMTPResponseException) -> bool:
    """Whether the mail itself is refused for good, not the connection."""
    return error.code >= _PERMANENT and isinstance(error, aiosmtplib.SMTPSenderRefused | aiosmtplib.SMTPDataError)


def _list(values: object) -> str:
    return ", ".join(str(each) for each in values) if isinstance(values, set | dict) else str(values)
