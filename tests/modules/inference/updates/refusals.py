"""What tests of attacks have in common: how one is refused, and a file that was changed on its way."""

from typing import Any

import pytest

from modules.inference.updates.reasons import Refused

TARGET = "picture/made-up/1.0.0"
Operator = Any
Gateway = Any
Web = Any


def refused(gateway: Gateway, target: str = TARGET, **changes: Any) -> str:
    with pytest.raises(Refused) as refusal:
        gateway.fetch(target, **changes)
    assert str(refusal.value)
    assert gateway.store.find(target) is None
    return refusal.value.reason


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
