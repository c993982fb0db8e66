"""A session description: the first video of it, where it is H.264 or H.265 (RFC 4566, 6184, 7798); pure."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Final

CODECS: Final = {"H264": "h264", "H265": "hevc"}
START: Final = b"\x00\x00\x00\x01"


class NotOurs(Exception):
    """Nothing is wrong with it, but it is FFmpeg's to read. The text says what was found."""


@dataclass(frozen=True, slots=True)
class Track:
    """One video: ``codec`` is FFmpeg's name of it, ``parameters`` its parameter sets (Annex B), empty where not told.

    ``control`` is its address, ``whole`` that of all tracks together; RTP packets of ``payload`` are its own.
    """

    codec: str
    payload: int
    clock_hz: int
    control: str
    whole: str
    parameters: bytes


def video(description: str, base: str) -> Track:
    """The first video of a session that was described at the address ``base``; NotOurs where it is anything else."""
    session: dict[str, str] = {}
    media: dict[str, str] | None = None
    formats: list[str] = []
    for line in description.replace("\r\n", "\n").split("\n"):
        if line.startswith("m="):
            if media is not None:
                break
            words = line[2:].split()
            if words[:1] == ["video"]:
                media, formats = {}, words[3:]
        elif line.startswith("a="):
            _note(session if media is None else media, line[2:])
    if media is None or not formats:
        raise NotOurs("no video in the description")
    payload = formats[0]
    name, _, clock = media.get(f"rtpmap:{payload}", "").partition("/")
    codec, clock = CODECS.get(name.upper()), clock.partition("/")[0]
    if codec is None or not (payload.isdecimal() and clock.isdecimal()) or not int(clock):
        raise NotOurs(f"a video of {name or 'unnamed'} format")
    told = _told(media.get(f"fmtp:{payload}", ""))
    if told.get("packetization-mode") == "2" or told.get("sprop-max-don-diff", "0") != "0":
        raise NotOurs("interleaved packets")
    whole = session.get("control", "")
    if not _is_address(whole):
        whole = base
    return Track(codec, int(payload), int(clock), _joined(whole, media.get("control", "")), whole, _parameters(told))


def _note(noted: dict[str, str], attribute: str) -> None:
    """Note an attribute; those of one format stand under ``name:format``. Of two alike the first counts."""
    name, _, value = attribute.partition(":")
    if name in {"rtpmap", "fmtp"}:
        number, _, value = value.strip().partition(" ")
        name += f":{number}"
    noted.setdefault(name, value.strip())


def _told(text: str) -> dict[str, str]:
    pairs = (each.strip().partition("=") for each in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _is_address(control: str) -> bool:
    return control.startswith(("rtsp://", "rtsps://"))


def _joined(base: str, control: str) -> str:
    """As FFmpeg joins them: what is no address of its own is appended, whatever stands in ``base``."""
    if not control or control == "*":
        return base
    return control if _is_address(control) else f"{base.rstrip('/')}/{control.lstrip('/')}"


def _parameters(told: dict[str, str]) -> bytes:
    """All parameter sets that are told; one that is no base64 is left out, it comes in the stream as well."""
    names = ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")
    found = b""
    for text in ",".join(told.get(name, "") for name in names).split(","):
        try:
            one = b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if one:
            found += START + one
    return found
