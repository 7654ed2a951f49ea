from __future__ import annotations

import pickle

import numpy as np
import pytest

from emodetect.backends.conventions import UNSTATED, ModelConventions, Scaling
from emodetect.cli.factories import conventions_as_options
from emodetect.errors import UsageError


@pytest.mark.parametrize(
    ("text", "black", "white"),
    [
        ("0..1", 0, 1),
        ("-1..1", -1, 1),
        ("0..255", 0, 255),
        ("-0.5..0.5", -0.5, 0.5),
        ("1/127.5,-1", -1, 1),
        ("1,0", 0, 255),
        (" 1 , -128 ", -128, 127),
        ("imagenet", [-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.6400]),
        ("1,1,1,-103.939,-116.779,-123.68", [-103.939, -116.779, -123.68], [151.061, 138.221, 131.32]),
    ],
)
def test_a_scaling_maps_pixels_as_its_text_says(text: str, black: float | list[float], white: float | list[float]) -> None:
    scaling = Scaling.parse(text)

    np.testing.assert_allclose(np.asarray(scaling.offset), black, atol=1e-4)
    np.testing.assert_allclose(255 * np.asarray(scaling.scale) + scaling.offset, white, atol=1e-4)
    assert Scaling.parse(str(scaling)).scale == pytest.approx(scaling.scale, rel=1e-4)


@pytest.mark.parametrize("text", ["0..1", "-1..1", "0..255", "imagenet"])
def test_a_preset_keeps_its_name(text: str) -> None:
    assert str(Scaling.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no scaling"),
        ("torch", "expected 0..1, -1..1, 0..255, imagenet or SCALE,OFFSET"),
        ("1,2,3", "is no scaling"),
        ("1/0,0", "is no scaling"),
        ("-1,1", r"did you mean -1\.\.1\?"),
        ("0,1", r"did you mean 0\.\.1\?"),
        ("0,255", r"did you mean 0\.\.255\?"),
        ("0,0", "the scale 0 is out of range"),
        ("1..1", "the scale 0 is out of range"),
        ("nan,0", "out of range"),
        ("inf,0", "out of range"),
        ("1e308,0", "out of range"),
        ("1,1e308", "out of range"),
        ("1,nan", "out of range"),
    ],
)
def test_what_is_no_scaling_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Scaling.parse(text)


def test_conventions_take_what_a_caller_writes_and_can_be_pickled() -> None:
    conventions = ModelConventions.of(["happy", "sad"], (1 / 127.5, -1.0), "bgr", "emotion")

    assert conventions == ModelConventions(("happy", "sad"), Scaling.parse("-1..1"), "bgr", "emotion")
    assert pickle.loads(pickle.dumps(conventions)) == conventions
    assert conventions.given == ["labels", "scaling", "channels", "output_name"]
    assert ModelConventions.of([], None, None, None) == UNSTATED
    assert UNSTATED.given == []
    assert conventions_as_options(UNSTATED) == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": "happy"}, "labels: expected a sequence"),
        ({"channels": "rbg"}, "channels: expected one of gray, rgb, bgr"),
        ({"scaling": 2}, "scaling: expected"),
        ({"scaling": (1, 2, 3)}, "scaling: expected"),
    ],
)
def test_values_of_another_kind_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ModelConventions.of(**values)  # type: ignore[arg-type]
