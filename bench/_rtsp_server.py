"""A camera that sends a film by RTSP: `/usr/bin/python3 _rtsp_server.py PORT FILM`, with GStreamer's own server.

H.264 from an MP4 at its own pace, from its beginning for each who asks; rtsp://127.0.0.1:PORT/cam. Prints one line when
it listens. Needs what `tests/system/rtsp_server.py` needs.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions are asked for first

Gst.init(None)
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory.new()
factory.set_launch(
    f"( filesrc location={sys.argv[2]} ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
sys.stdout.write("listens\n")
sys.stdout.flush()
GLib.MainLoop().run()
