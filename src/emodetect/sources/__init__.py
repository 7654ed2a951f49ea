"""Where frames come from: images, video files, cameras and streams."""
