"""Where frames come from: images, video files, cameras and streams."""

import os

# OpenCV opens and closes one source at a time otherwise, and so none while a network camera keeps the first one waiting;
# FFmpeg itself needs no such lock. Read once, when the first source is opened.
os.environ.setdefault("OPENCV_FFMPEG_IS_THREAD_SAFE", "1")
