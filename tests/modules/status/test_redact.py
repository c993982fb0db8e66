"""No secret gets out, and what is none stays readable."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.status.redact import MASK, redacted, text

SECRETS = [
    "rtsp://admin:{}@10.0.0.5/stream",
    "HostName=x.azure-devices.net;DeviceId=d;SharedAccessKey={};x=1",
    "SharedAccessSignature sr=x%2Fdevices&sig={}&se=1",
    "Authorization: Bearer {}",
    "Authorization: Basic {}",
    '{{"password": "{}"}}',
    "password={} and more",
    "PASSWORD: {}",
    "MILLWATCH_CAMERA_PASSWORD='{}'",
    "api-key={}",
    "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n{}",
    "AccountKey={}==;EndpointSuffix=x",
    "https://x.blob.core.windows.net/c?sv=1&sig={}&se=2",
]
SECRET = "S3cretZq9" * 3


@pytest.mark.parametrize("shape", SECRETS)
def test_a_secret_is_masked_wherever_it_stands(shape: str) -> None:
    planted = shape.format(SECRET)
    assert SECRET not in text(planted)
    assert SECRET not in orjson.dumps(redacted({"a": [{"b": f"x {planted} y"}], planted: 1})).decode()
    assert MASK in text(planted)


@pytest.mark.parametrize(
    "name", ["password", "rtsp_password", "token", "sasToken", "client_secret", "passphrase", "apiKey"]
)
def test_a_field_of_a_telling_name_is_masked(name: str) -> None:
    assert redacted({name: SECRET, "x": {name: [SECRET]}}) == {name: MASK, "x": {name: MASK}}


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789-_", min_size=16, max_size=60))
def test_known_secrets_are_masked_in_any_place(secret: str) -> None:
    found = redacted({secret: [f"a{secret}b"], "n": {"x": secret}}, [secret])
    assert secret not in orjson.dumps(found).decode()


@pytest.mark.parametrize(
    "plain",
    [
        {"threshold": 18.0, "name": "line1", "source": {"type": "rtsp", "url": "rtsp://10.0.0.5/stream"}},
        {"text": "press3/vibration-velocity is at 0.70 of its limit - immediate shutdown required"},
        {"tokens": 3, "password": "", "secrets": None, "key": "press4", "keys": [1, 2], "monkey": "x"},
        {"said": "the key of the door, a basic fact, bearing ordered"},
    ],
)
def test_what_is_no_secret_stays(plain: Any) -> None:
    assert redacted(plain) == plain
