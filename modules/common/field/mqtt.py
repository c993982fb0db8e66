"""A plain MQTT broker: how it is reached (paho-mqtt, which the modules' SDK brings)."""

import ssl
from pathlib import Path

from paho.mqtt import client as paho
from pydantic import Field

from modules.common.field.reach import FieldError, credentials
from modules.common.settings import Part


class Broker(Part):
    """A broker, and who asks it."""

    host: str = Field(title="Host", min_length=1, max_length=253)
    port: int = Field(1883, ge=1, le=65_535, title="Port")
    keepalive_s: int = Field(
        10, ge=1, le=3600, title="Keep-alive", description="a hung broker is noticed within twice as long"
    )
    client_id: str = Field(
        "", title="Client id", max_length=200, description="with one the broker keeps what is missed"
    )
    credentials_file: Path | None = Field(
        None, title="Credentials", description="a mounted file of one line, user:password"
    )
    ca_file: Path | None = Field(None, title="CA", description="PEM; with it the connection is TLS")
    cert_file: Path | None = Field(None, title="Certificate", description="PEM, of this client")
    key_file: Path | None = Field(None, title="Key", description="PEM, of the certificate")

    @property
    def where(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    def client(self) -> paho.Client:
        """A client that is not connected yet, and does not connect again by itself.

        Raises FieldError when a mounted file cannot be used.
        """
        client = paho.Client(client_id=self.client_id, clean_session=not self.client_id, reconnect_on_failure=False)
        pair = credentials(self.credentials_file)
        if pair is not None:
            client.username_pw_set(*pair)
        if self.ca_file is not None:
            try:
                context = ssl.create_default_context(cafile=str(self.ca_file))
                if self.cert_file is not None:
                    context.load_cert_chain(self.cert_file, self.key_file)
            except OSError as error:  # ssl.SSLError is one
                raise FieldError(f"a certificate cannot be used: {error}") from error
            client.tls_set_context(context)
        return client
