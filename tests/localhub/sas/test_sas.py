"""Tokens: ours against the SDK's own, and every refusal with its reason."""

import pytest
from azure.iot.device.common.auth.sastoken import RenewableSasToken
from azure.iot.device.common.auth.signing_mechanism import SymmetricKeySigningMechanism
from hypothesis import given
from hypothesis import strategies as st

from localhub import sas
from localhub.identity import Credential, Identities, Identity, ModuleKey

NOW = 1_800_000_000
HUB = "localhub.azure-devices.net"
HOSTS = (HUB, "127.0.0.9")
MODULE_KEY = sas.sign("c2VlZA==", b"module")
DEVICE_KEY = sas.sign("c2VlZA==", b"device")
LEAF_KEY = sas.sign("c2VlZA==", b"leaf")
KNOWN = Identities(
    "gw1",
    {"camera": ModuleKey("1", MODULE_KEY)},
    {"gw1": Credential(key=DEVICE_KEY), "press4": Credential(key=LEAF_KEY)},
)
CAMERA = Identity("gw1", "camera")


def test_a_token_made_by_the_sdk_is_good() -> None:
    signer = SymmetricKeySigningMechanism(MODULE_KEY)  # type: ignore[no-untyped-call]
    token = RenewableSasToken(f"{HUB}/devices/gw1/modules/camera", signer)  # type: ignore[no-untyped-call]
    assert sas.verify(str(token), KNOWN, token.expiry_time - 100, HOSTS) == CAMERA


@given(st.integers(min_value=NOW, max_value=10**11), st.sampled_from(HOSTS))
def test_what_we_make_we_take(expiry: int, host: str) -> None:
    token = sas.make(MODULE_KEY, host, CAMERA, expiry)
    assert sas.verify(token, KNOWN, expiry, HOSTS) == CAMERA


def test_a_device_token_is_good_for_its_modules_only() -> None:
    gateway = sas.verify(sas.make(DEVICE_KEY, HUB, Identity("gw1"), NOW), KNOWN, NOW, HOSTS)
    assert gateway.covers(CAMERA)
    assert gateway.covers(Identity("GW1"))
    assert not gateway.covers(Identity("press4"))
    assert not CAMERA.covers(gateway)
    assert not CAMERA.covers(Identity("gw1", "inference"))


def test_ids_and_hosts_compare_without_case() -> None:
    token = sas.make(MODULE_KEY, HUB.upper(), Identity("GW1", "Camera"), NOW)
    assert sas.verify(token, KNOWN, NOW, HOSTS) == CAMERA


def test_the_signature_is_over_the_audience_as_received() -> None:
    audience = f"{HUB}/devices/gw1/modules/camera"  # nothing encoded
    signature = sas.sign(MODULE_KEY, f"{audience}\n{NOW}".encode())
    token = f"SharedAccessSignature sr={audience}&sig={signature.replace('+', '%2B')}&se={NOW}&skn="
    assert sas.verify(token, KNOWN, NOW, HOSTS) == CAMERA


def test_an_expired_token_passes_for_five_minutes() -> None:
    token = sas.make(MODULE_KEY, HUB, CAMERA, NOW)
    assert sas.verify(token, KNOWN, NOW + 300, HOSTS) == CAMERA
    with pytest.raises(sas.SasError, match="expired 301 s ago"):
        sas.verify(token, KNOWN, NOW + 301, HOSTS)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("secret", "not a shared access signature"),
        ("SharedAccessSignature sr=a&se=1", "lacks sig"),
        ("SharedAccessSignature sr=a&sr=b&se=1&sig=x", "sr twice"),
        ("SharedAccessSignature sr=a%2Fdevices%2Fgw1&sig=x&se=soon", "not a time"),
        ("SharedAccessSignature sr=a%2Fgw1&sig=x&se=1", "audience is not"),
        ("SharedAccessSignature sr=a%2Fdevices%2Fgw1%2Fmodules%2F&sig=x&se=1", "audience is not"),
        (sas.make(MODULE_KEY, "elsewhere.net", CAMERA, NOW), "host 'elsewhere.net'"),
        (sas.make(MODULE_KEY, HUB, Identity("gw1", "spy"), NOW), "gw1/spy is not an identity"),
        (sas.make(MODULE_KEY, HUB, Identity("press4", "camera"), NOW), "press4/camera is not an identity"),
        (sas.make(LEAF_KEY, HUB, CAMERA, NOW), "does not match the key of gw1/camera"),
        (f"SharedAccessSignature sr={HUB}%2Fdevices%2Fgw1&sig=%21&se=1", "not base64"),
    ],
)
def test_refusals_name_their_reason_and_no_secret(token: str, reason: str) -> None:
    with pytest.raises(sas.SasError, match=reason) as refused:
        sas.verify(token, KNOWN, NOW, HOSTS)
    assert MODULE_KEY not in refused.value.reason


@given(st.text())
def test_any_text_is_refused_not_crashed_on(text: str) -> None:
    with pytest.raises(sas.SasError):
        sas.verify(text, KNOWN, NOW, HOSTS)
    with pytest.raises(sas.SasError):
        sas.verify(f"SharedAccessSignature sr={HUB}%2Fdevices%2Fgw1&se={NOW}&sig={text}", KNOWN, NOW, HOSTS)
