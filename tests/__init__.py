"""Tests; laid out like the package."""

import os

# One process of tests uses Keras 3 and DeepFace, whose models need the legacy Keras behind `tf.keras`: TensorFlow asks
# for this once, when it is imported.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
