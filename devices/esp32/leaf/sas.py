"""The token with which a device proves its key to edgeHub. MicroPython has SHA-256 but no HMAC."""

import binascii
import hashlib

from .quoting import quote

_BLOCK = 64  # bytes of SHA-256's block (FIPS 180-4)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC (RFC 2104) over SHA-256: 32 bytes."""
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    key = key + bytes(_BLOCK - len(key))
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
    inner.update(message)
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
    outer.update(inner.digest())
    return outer.digest()


def token(host: str, device: str, key: str, expiry_s: int) -> str:
    """The token of a device (its key in base64), good until ``expiry_s``, seconds since 1970.

    ValueError for a key that is no base64.
    """
    resource = quote("%s/devices/%s" % (host, device))
    signature = hmac_sha256(binascii.a2b_base64(key), ("%s\n%d" % (resource, expiry_s)).encode())
    signed = quote(binascii.b2a_base64(signature).decode().strip())
    return "SharedAccessSignature sr=%s&sig=%s&se=%d" % (resource, signed, expiry_s)
