"""Sources of frames: images, video files, cameras and streams."""
