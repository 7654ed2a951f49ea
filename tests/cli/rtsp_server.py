"""Serves a picture as an H.264 stream over RTSP; a program of its own, for GStreamer's bindings are the system's Python's.

    /usr/bin/python3 rtsp_server.py PICTURE.jpg [USER PASSWORD]

The port is printed. The picture is read again for each frame, so that it may change, also in size. Exit 3 where GStreamer is not
installed, or a part of it.
"""

from __future__ import annotations

import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError):
    sys.exit(3)

PIPELINE = (
    '( multifilesrc location="{picture}" loop=true caps="image/jpeg,framerate=25/1" ! jpegdec ! videoconvert '
    "! openh264enc ! h264parse ! rtph264pay name=pay0 config-interval=-1 )"
)


def ask_for_password(server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str) -> None:
    role, permissions, auth = GstRtspServer.RTSPToken(), GstRtspServer.RTSPPermissions(), GstRtspServer.RTSPAuth()
    role.set_string("media.factory.role", user)
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(user, permission, True)
    factory.set_permissions(permissions)
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), role)
    server.set_auth(auth)


def main(picture: str, *user_and_password: str) -> None:
    Gst.init(None)
    if Gst.ElementFactory.find("openh264enc") is None:
        sys.exit(3)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service="0")
    factory = GstRtspServer.RTSPMediaFactory(launch=PIPELINE.format(picture=picture))
    if user_and_password:
        ask_for_password(server, factory, *user_and_password)
    server.get_mount_points().add_factory("/video", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
