"""The server's side of TLS: the hub's certificate, the client certificates it asks for, and why a handshake failed.

Port 8883 asks every client for a certificate and lets those pass that have none. What is asked of one here is only that
its issuer is known: the gateway's CA, or a leaf device that signed for itself. Whose it is and whether it has expired
is judged at CONNECT (`certs.verify_leaf`), by the hub's own clock, and answered with a CONNACK code.
"""

import ssl

from localhub.https import server_context
from localhub.identity import Auth, Identities
from localhub.state import State

NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h), which ssl has no name for

_CAUSES = {
    "ALERT_UNKNOWN_CA": "it does not trust this hub's CA: is its bundle the one of this state folder?",
    "ALERT_BAD_CERTIFICATE": "it takes the hub's certificate for a bad one: which host name does it connect to?",
    "ALERT_CERTIFICATE_EXPIRED": "to its clock the hub's certificate has expired, or its CA: which time has it?",
    "ALERT_CERTIFICATE_UNKNOWN": "it does not accept the hub's certificate: another CA, or another host name",
    "ALERT_PROTOCOL_VERSION": "it speaks no TLS version that the hub does (1.2 and later)",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS version that the hub does (1.2 and later)",
    "NO_SHARED_CIPHER": "it shares no cipher with the hub",
    "HTTP_REQUEST": "it speaks plain HTTP",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "UNEXPECTED_EOF_WHILE_READING": "it hung up in the middle",
}


def asking_context(state: State, identities: Identities) -> ssl.SSLContext:
    """The same, asking for a client's certificate."""
    context = server_context(state)
    context.verify_mode = ssl.CERT_OPTIONAL
    # A self-signed certificate is its own anchor; strict checks of its extensions are not IoT Hub's business.
    context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST | NO_CHECK_TIME
    trust(context, state, identities)
    return context


def trust(context: ssl.SSLContext, state: State, identities: Identities) -> None:
    """Know the issuers of the certificates that leaf devices come with; again when there are new ones."""
    context.load_verify_locations(state.ca_certificate)
    for name, credential in identities.devices.items():
        if credential.auth is Auth.X509_THUMBPRINT:
            context.load_verify_locations(state.device_certificate(name))


def explain(error: ssl.SSLError) -> str:
    """Why a handshake failed, in words; a client's alert and our own verdict both come as an SSLError."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate comes from nobody known here ({error.verify_message})"
    reason = error.reason or "no reason given"
    cause = next((text for ending, text in _CAUSES.items() if reason.endswith(ending)), None)
    return reason if cause is None else f"{cause} ({reason})"
