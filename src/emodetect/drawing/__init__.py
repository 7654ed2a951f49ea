"""Drawing on images: boxes, labels, panels, anonymization and contact sheets."""
