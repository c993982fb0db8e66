"""Which sources a challenger speaks for: always the same ones, on every gateway, whatever their number. Pure."""

from hashlib import blake2b


def chosen(source: str, trial: str, share: float) -> bool:
    """Whether `source` is among the share; another trial draws other sources."""
    drawn = blake2b(f"{trial}\n{source}".encode(), digest_size=8, person=b"trial").digest()
    return int.from_bytes(drawn, "big") < share * 2**64
