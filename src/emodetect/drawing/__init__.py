"""Drawing on images: boxes, labels, panels, hidden faces and contact sheets."""
