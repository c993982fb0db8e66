"""One batch as the message contract wants it (docs/formats/messages.md): id, properties in the topic, SenML body.

Integers carry the time: a float of an ESP32 has 24 bits, and seconds since 1970 with milliseconds need 41.
"""

from .quoting import Buffer

NAMES = ("velocity", "acceleration", "peak")
_UNITS = ("m/s", "m/s2", "m/s2")


def uuid7(now_ms: int, random: bytes) -> bytes:
    """A UUIDv7 (RFC 9562, 5.7), 16 bytes: milliseconds since 1970, then ten random bytes less version and variant."""
    made = bytearray(now_ms.to_bytes(6, "big") + random)
    made[6] = 0x70 | made[6] & 0x0F
    made[8] = 0x80 | made[8] & 0x3F
    return bytes(made)


def uuid_text(made: bytes) -> str:
    """The same as text."""
    text = "".join("%02x" % byte for byte in made)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def days_to_date(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since 1970-01-01 (Hinnant, chrono-compatible date algorithms)."""
    days += 719468
    era, of_era = divmod(days, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year + era * 400 + (month <= 2), month, day


def rfc3339(unix_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, whatever epoch the port's own clock has."""
    seconds, ms = divmod(unix_ms, 1000)
    days, second = divmod(seconds, 86400)
    date = days_to_date(days)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (date + (second // 3600, second // 60 % 60, second % 60, ms))


def topic(out: Buffer, device: str, source: str, message_id: str, seq: int, unix_ms: int) -> None:
    """The topic of a batch, its properties percent-encoded in it."""
    out.text("devices/%s/messages/events/%%24.mid=%s&%%24.ct=" % (device, message_id))
    out.quoted("application/senml+json")
    out.text("&kind=readings&schema=1&source=")
    out.quoted(source)
    out.text("&seq=%d&time=" % seq)
    out.quoted(rfc3339(unix_ms))


def senml(out: Buffer, source: str, readings: list[tuple[int, tuple[float, ...]]]) -> None:
    """The body (RFC 8428): readings are (milliseconds since 1970, a value for each of NAMES), all of them finite."""
    base = readings[0][0]
    first = '[{"bn":"%s/","bt":%d.%03d,' % (_escaped(source), base // 1000, base % 1000)
    for unix_ms, values in readings:
        since = unix_ms - base
        when = "" if not since else '"t":%s%d.%03d,' % ("-" if since < 0 else "", abs(since) // 1000, abs(since) % 1000)
        for name, unit, value in zip(NAMES, _UNITS, values):  # noqa: B905  MicroPython's zip has no `strict`
            out.text('%s"n":"%s","u":"%s",%s"v":%.5g}' % (first, name, unit, when, value))
            first = ",{"
    out.put(b"]")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
