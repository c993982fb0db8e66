"""Percent-encoding as edgeHub's topics and tokens want it, and text into a buffer that was made once."""

_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


class Buffer:
    """Bytes written one after the other into memory that is there already; ValueError when it is full."""

    def __init__(self, memory: bytearray, start: int = 0) -> None:
        """Begin at ``start``."""
        self.memory = memory
        self.end = start

    def put(self, data: bytes) -> None:
        """Append bytes."""
        end = self.end + len(data)
        if end > len(self.memory):
            raise ValueError("does not fit into %d bytes: make batches smaller" % len(self.memory))
        self.memory[self.end : end] = data
        self.end = end

    def text(self, text: str) -> None:
        """Append a text in UTF-8."""
        self.put(text.encode())

    def quoted(self, text: str) -> None:
        """Append a text percent-encoded, with no character spared but the unreserved ones (RFC 3986, 2.3)."""
        for byte in text.encode():
            self.put(bytes((byte,)) if byte in _PLAIN else b"%%%02X" % byte)


def quote(text: str) -> str:
    """Percent-encode a text as `Buffer.quoted` does."""
    return "".join(chr(byte) if byte in _PLAIN else "%%%02X" % byte for byte in text.encode())
