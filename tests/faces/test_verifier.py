from __future__ import annotations

import cv2
import numpy as np

from emodetect.faces.boxes import crop
from emodetect.faces.verifier import EmbeddedVerifier
from emodetect.types import Image
from tests.builders import PHOTO_FACE, make_background


def test_faces_are_told_from_backgrounds(photo: Image) -> None:
    face, nothing = crop(photo, PHOTO_FACE), make_background((90, 90))
    assert EmbeddedVerifier().are_faces([face, nothing, face]).tolist() == [True, False, True]
    assert EmbeddedVerifier().are_faces([face, nothing, face], [True, True, False]).tolist() == [True, False, True]
    assert EmbeddedVerifier().are_faces([]).shape == (0,)


def test_a_doubtful_crop_must_look_more_like_a_face(photo: Image) -> None:
    face, ground = crop(photo, PHOTO_FACE), make_background((PHOTO_FACE.width, PHOTO_FACE.height))
    fading = [np.asarray(cv2.addWeighted(face, 1 - share, ground, share, 0), np.uint8) for share in np.linspace(0, 1, 101)]
    verifier = EmbeddedVerifier()
    plain = verifier.are_faces(fading, [False] * len(fading))
    strict = verifier.are_faces(fading, [True] * len(fading))
    np.testing.assert_array_equal(plain, verifier.are_faces(fading))
    assert not (strict & ~plain).any()
    assert strict[0]
    assert strict.sum() < plain.sum()


def test_a_face_in_the_dark_is_a_face(photo: Image) -> None:
    noise = np.random.default_rng(1)
    face = crop(photo, PHOTO_FACE)
    dark = [np.clip(0.04 * face + noise.normal(0, 3, face.shape), 0, 255).astype(np.uint8) for _ in range(20)]
    assert EmbeddedVerifier().are_faces(dark).all()
