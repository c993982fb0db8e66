"""Messages from module to module over real connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.localhub.hub.conftest import Module


def test_a_message_goes_from_an_output_to_an_input(module: Callable[..., Module]) -> None:
    beta = module("beta")
    beta.listen()
    alpha = module("alpha")
    alpha.send("x", b"hello", "kind=alert&%24.ct=application%2Fjson&%24.mid=m1")
    message = beta.inbox.get(timeout=10)
    assert message.payload == b"hello"
    assert message.qos == 1
    assert message.mid == 1
    assert not message.dup
    assert message.topic == (
        "devices/gw1/modules/beta/inputs/in/kind=alert&%24.ct=application%2Fjson&%24.mid=m1&%24.cdid=gw1&%24.cmid=alpha"
    )
