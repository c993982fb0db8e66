"""Messages from module to module over real connections."""


def test_a_message_goes_from_an_output_to_an_input(hub, module):
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
        "devices/gw1/modules/beta/inputs/in/"
        "kind=alert&%24.ct=application%2Fjson&%24.mid=m1&%24.cdid=gw1&%24.cmid=alpha"
    )
