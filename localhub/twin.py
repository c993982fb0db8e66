"""Twin documents: how patches merge, what a patch between two documents is, and what a reported patch may hold.

Shared by the hub, which caches twins, and the cloud, which owns their desired half. A document holds neither `$version`
nor nulls; versions travel beside it. Rules: edgehub-contract 4 and 7.1 (JsonEx.cs, ReportedPropertiesValidator.cs).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

Document = Mapping[str, Any]

DOCUMENT_LIMIT = 32 * 1024  # bytes of compact JSON
DEPTH_LIMIT = 10
NAME_LIMIT = 1024  # bytes
STRING_LIMIT = 4096  # bytes
LARGEST_INTEGER = 2**52 - 1
SMALLEST_INTEGER = -(2**52)
SERVICE_NAMES = ("$metadata", "$version")


class PatchError(ValueError):
    """A twin patch was refused; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Properties:
    """One half of a twin, desired or reported: a document and the number of its last change."""

    document: Document
    version: int

    def patched(self, patch: Document) -> "Properties":
        """The half after one more patch."""
        return Properties(merge(self.document, patch), self.version + 1)

    def versioned(self) -> dict[str, Any]:
        """The document with its `$version`, as it goes to clients."""
        return {**self.document, "$version": self.version}


@dataclass(frozen=True, slots=True)
class Twin:
    """Both halves."""

    desired: Properties
    reported: Properties

    def versioned(self) -> dict[str, Any]:
        """What a client's GET is answered with."""
        return {"desired": self.desired.versioned(), "reported": self.reported.versioned()}


def merge(document: Document, patch: Document) -> dict[str, Any]:
    """Apply a patch: objects merge deeply, null deletes the key, arrays and scalars replace."""
    merged = dict(document)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            below = merged.get(name)
            merged[name] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def difference(old: Document, new: Document) -> dict[str, Any]:
    """The smallest patch that makes `new` of `old`; empty when they are the same."""
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = difference(before, value)
            if inner:
                patch[name] = inner
        elif name not in old or canonical(before) != canonical(value):
            patch[name] = value
    return patch


def canonical(value: object) -> bytes:
    """JSON with sorted names: equal bytes mean equal values (1, 1.0 and true differ, as they do on the wire)."""
    return msgspec.json.encode(value, order="deterministic")


def parse_patch(payload: bytes) -> dict[str, Any]:
    """A client's reported patch, checked as edgeHub checks it; raises PatchError."""
    try:
        patch = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PatchError(f"the patch is not JSON: {error}") from error
    return check_patch(patch)


def check_patch(patch: object) -> dict[str, Any]:
    """The patch itself when it keeps every limit of a twin; raises PatchError."""
    if not isinstance(patch, dict):
        raise PatchError("the patch must be a JSON object")
    _check("", patch, 0, in_array=False)
    size = len(msgspec.json.encode(patch))
    if size > DOCUMENT_LIMIT:
        raise PatchError(f"the patch has {size} bytes, more than {DOCUMENT_LIMIT}")
    return patch


def without_service_names(document: Document) -> dict[str, Any]:
    """The document without `$version` and `$metadata`, which tools send back with what they read."""
    return {name: value for name, value in document.items() if name not in SERVICE_NAMES}


def _check(name: str, value: object, depth: int, *, in_array: bool) -> None:
    """One value and all below it; `depth` counts objects and arrays above it."""
    match value:
        case dict():
            _check_depth(name, depth)
            for inner_name, inner in value.items():
                _check_name(inner_name)
                _check(inner_name, inner, depth + 1, in_array=in_array)
        case list():
            _check_depth(name, depth)
            for item in value:
                if item is None:
                    raise PatchError(f"the array of property {name!r} holds null")
                _check(name, item, depth + 1, in_array=True)
        case None if in_array:
            raise PatchError(f"property {name!r} of an object in an array is null")
        case str() if len(value.encode()) > STRING_LIMIT:
            raise PatchError(f"the text of property {name!r} has more than {STRING_LIMIT} bytes")
        case int() if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
            raise PatchError(f"the integer of property {name!r} is outside +-2^52")


def _check_depth(name: str, depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise PatchError(f"property {name!r} is nested more than {DEPTH_LIMIT} deep")


def _check_name(name: str) -> None:
    if len(name.encode()) > NAME_LIMIT:
        raise PatchError(f"the property name {name[:10]}... has more than {NAME_LIMIT} bytes")
    for character in name:
        # 0x7f-0x9f are control characters to .NET's char.IsControl too
        if character in ".$#" or character.isspace() or ord(character) < 0x20 or 0x7F <= ord(character) <= 0x9F:
            raise PatchError(f"the property name {name!r} holds {character!r}")
