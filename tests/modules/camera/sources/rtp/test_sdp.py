import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.camera.sources.rtp.sdp import NotOurs, Track, video

CAMERA = """v=0
o=- 1 1 IN IP4 192.0.2.10
s=Media Presentation
a=control:rtsp://192.0.2.10/Streaming/
m=audio 0 RTP/AVP 0
a=control:trackID=2
m=video 0 RTP/AVP 97
a=rtpmap:97 h264/90000/1
a=control:trackID=1
a=fmtp:97 packetization-mode=1; profile-level-id=4D0028;sprop-parameter-sets=Z00AKA==,aO48gA==
m=video 0 RTP/AVP 98
a=rtpmap:98 JPEG/90000
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_first_video_is_found_with_its_parameters(ending: str) -> None:
    assert video(CAMERA.replace("\n", ending), "rtsp://192.0.2.10/s/") == Track(
        codec="h264",
        payload=97,
        clock_hz=90000,
        control="rtsp://192.0.2.10/Streaming/trackID=1",
        whole="rtsp://192.0.2.10/Streaming/",
        parameters=b"\0\0\0\1\x67\x4d\0\x28\0\0\0\1\x68\xee\x3c\x80",
    )


def test_h265_has_its_parameters_each_by_name() -> None:
    track = video(
        "m=video 0 RTP/AVP 96\na=rtpmap:96 H265/90000\na=control:*\n"
        "a=fmtp:96 sprop-sps=QgE=; sprop-vps=QAE=; sprop-pps=%%; x\n",
        "rtsp://a/b",
    )
    assert (track.codec, track.control, track.whole) == ("hevc", "rtsp://a/b", "rtsp://a/b")
    assert track.parameters == b"\0\0\0\1\x40\1\0\0\0\1\x42\1"


@pytest.mark.parametrize(
    "other",
    [
        "",
        "m=audio 0 RTP/AVP 0\n",
        "m=video 0 RTP/AVP 26\n",
        "m=video 0 RTP/AVP\n",
        CAMERA.replace("h264", "JPEG"),
        CAMERA.replace("/90000", "/x"),
        CAMERA.replace("/90000", "/0"),
        CAMERA.replace("mode=1", "mode=2"),
        CAMERA.replace("packetization-mode=1", "sprop-max-don-diff=3"),
    ],
)
def test_what_is_not_ours_is_left_to_ffmpeg(other: str) -> None:
    with pytest.raises(NotOurs):
        video(other, "rtsp://a/b")


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from([*CAMERA.split("\n"), "m=", "a=", "a=rtpmap:", "m=video"])).map("\n".join)
)
def test_any_text_is_a_track_or_not_ours(text: str) -> None:
    try:
        track = video(text, "rtsp://a/b")
    except NotOurs:
        return
    assert track.clock_hz > 0
    assert track.codec == "h264"
