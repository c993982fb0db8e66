import pytest

from modules.camera.sources.rtp.challenge import Challenge


def test_nothing_is_told_before_it_is_asked_for() -> None:
    assert Challenge("Mufasa", "Circle Of Life").header("DESCRIBE", "rtsp://a", "0a4f113b") is None


def test_the_example_of_rfc_2617() -> None:
    challenge = Challenge("Mufasa", "Circle Of Life")
    assert challenge.learn(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
        ' opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    header = challenge.header("GET", "/dir/index.html", "0a4f113b") or ""
    assert 'response="6629fae49393a05397450978507c4ef1"' in header
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in header
    assert "nc=00000001" in header
    assert "nc=00000002" in (challenge.header("GET", "/", "0a4f113b") or "")


def test_the_example_of_rfc_7616() -> None:
    challenge = Challenge("Mufasa", "Circle of Life")
    assert challenge.learn(
        'Digest realm="http-auth@example.org", qop="auth", algorithm=SHA-256,'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"'
    )
    header = challenge.header("GET", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ") or ""
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in header


def test_without_qop_as_most_cameras_ask() -> None:
    challenge = Challenge("admin", "12345")
    assert challenge.learn('Digest realm="IP Camera", nonce="abc", stale="FALSE"')
    header = challenge.header("DESCRIBE", "rtsp://192.0.2.1/1", "x") or ""
    assert "cnonce" not in header
    assert 'response="' in header


def test_digest_is_taken_where_both_are_offered_and_basic_where_it_is_alone() -> None:
    challenge = Challenge("a", "b")
    assert challenge.learn('Basic realm="x"\nDigest realm="x", nonce="y"')
    assert (challenge.header("PLAY", "u", "n") or "").startswith("Digest ")
    plain = Challenge("Aladdin", "open sesame")
    assert plain.learn('Basic realm="x"')
    assert plain.header("PLAY", "u", "n") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize("asked", ['Basic realm="x"', 'Digest realm="x", nonce="y"'])
def test_what_was_refused_is_not_tried_again_but_with_a_new_nonce(asked: str) -> None:
    challenge = Challenge("a", "b")
    assert challenge.learn(asked)
    assert not challenge.learn(asked)
    assert challenge.learn(asked.replace('"y"', '"z"')) == ("Digest" in asked)


@pytest.mark.parametrize("asked", ["", "Bearer x", 'Digest realm="x"', 'Digest nonce="y", algorithm=MD5-sess'])
def test_what_cannot_be_answered_is_told(asked: str) -> None:
    assert not Challenge("a", "b").learn(asked)
    assert not Challenge("", "").learn('Basic realm="x"')
