"""A real RTSP camera: `/usr/bin/python3 rtsp_camera.py PORT`, and see its options.

GStreamer's own server on 127.0.0.1; rtsp://127.0.0.1:PORT/cam. With --film it sends the H.264 of an MP4 at its own
pace, from the beginning for each who asks. Without, it paints, and encodes by x264: every frame is a still, noisy scene
with its number drawn along its top, a bit a block, so that whoever decodes it can tell what was lost and what came
twice. A frame's number is the system's monotonic clock times the rate, so that numbers go on across a restart; its
blocks differ less than a gate minds. A bright square crosses the scene while the file named by --moving exists.

Needs Debian's gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-*, and the system's own Python, which has `gi`.
Prints one line when it listens.
"""

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - the versions are asked for first

BITS = 24
TICK_MS = 4


class Scene:
    """The pictures, grey, one byte a pixel."""

    def __init__(self, width: int, height: int, moving: Path | None) -> None:
        self.width, self.height, self.moving = width, height, moving
        self.band = height // 8
        ramp = bytes(60 + 100 * x // width for x in range(width))
        rows = range(height - self.band)
        self.still = b"".join(ramp[y % 64 :] + ramp[: y % 64] for y in rows)
        self.noise = random.Random(1)  # noqa: S311 - no secret

    def frame(self, number: int) -> bytes:
        """The picture of this number."""
        width, height, block = self.width, self.height, self.width // BITS
        bits = b"".join((b"\x88" if number >> bit & 1 else b"\x78") * block for bit in range(BITS))
        scene = bytearray(bits.ljust(width, b"\x78") * self.band + self.still)
        for _ in range(width * height // 400):
            scene[self.noise.randrange(width * self.band, width * height)] ^= 7
        if self.moving is not None and self.moving.exists():
            side = height // 4
            left = int(time.monotonic() * 200) % (width - side)
            for y in range(height // 2, height // 2 + side):
                scene[y * width + left : y * width + left + side] = b"\xf0" * side
        return bytes(scene)


class Painted(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]  # gi has no types
    """One pipeline for all who watch, fed by hand."""

    def __init__(self, wanted: argparse.Namespace) -> None:
        super().__init__()
        width, height = (int(side) for side in wanted.size.split("x"))
        self.scene = Scene(width, height, Path(wanted.moving) if wanted.moving else None)
        self.rate = wanted.rate
        self.set_shared(True)
        self.set_launch(
            f"( appsrc name=source is-live=true format=time do-timestamp=true block=false "
            f"caps=video/x-raw,format=GRAY8,width={width},height={height},framerate={self.rate}/1 "
            f"! videoconvert ! video/x-raw,format=I420 "
            f"! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={wanted.key_every} pass=qual quantizer=24 "
            f"! rtph264pay name=pay0 pt=96 config-interval=1 )"
        )
        self.connect("media-configure", self.configured)

    def due(self) -> int:
        """Number of the frame that is shown now."""
        return int(time.monotonic() * self.rate)

    def configured(self, _factory: Any, media: Any) -> None:
        """Feed the pipeline until nobody watches."""
        source = media.get_element().get_child_by_name("source")
        sent = self.due()

        def push() -> bool:
            nonlocal sent
            while sent < self.due():
                sent += 1
                source.emit("push-buffer", Gst.Buffer.new_wrapped(self.scene.frame(sent % (1 << BITS))))
            return True

        timer = GLib.timeout_add(TICK_MS, push)
        media.connect("unprepared", lambda _media: GLib.source_remove(timer))


def shown(film: str) -> Any:
    """A pipeline of a film for each who watches."""
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(
        f"( filesrc location={film} ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )"
    )
    return factory


def locked(server: Any, factory: Any, login: str) -> None:
    """Let in only who knows this user and password, by digest."""
    user, _, password = login.partition(":")
    token = GstRtspServer.RTSPToken.new()
    token.set_string("media.factory.role", "user")
    auth = GstRtspServer.RTSPAuth.new()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(user, password, token)
    permissions = GstRtspServer.RTSPPermissions.new()
    for what in ("access", "construct"):
        permissions.add_permission_for_role("user", f"media.factory.{what}", True)
    factory.set_permissions(permissions)
    server.set_auth(auth)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--key-every", type=int, default=20)
    parser.add_argument("--login")
    parser.add_argument("--moving")
    parser.add_argument("--film")
    wanted = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(wanted.port))
    factory = shown(wanted.film) if wanted.film else Painted(wanted)
    if wanted.login:
        locked(server, factory, wanted.login)
    server.get_mount_points().add_factory("/cam", factory)
    server.attach(None)
    sys.stdout.write("listens\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
