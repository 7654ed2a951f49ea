"""The defaults of options are those of the settings, and are written nowhere else."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields

import click
import pytest

from emodetect import api
from emodetect.backends.limits import parse_size
from emodetect.backends.registry import BackendSettings, create_backend
from emodetect.emotions.scorer import EmotionScorer
from emodetect.faces.detector import DetectorSettings
from emodetect.faces.haar import HaarDetector
from emodetect.live.view import View
from emodetect.settings.pipeline import CLIPS, LIVE, PHOTOS, PipelineSettings
from tests.cli.parsing import parse

STARTS = {"image": PHOTOS, "video": CLIPS, "live": LIVE, "bench": CLIPS, "evaluate": PHOTOS, "inspect": PHOTOS}

WITHOUT_OPTION = {"track", "hide_faces", "max_failures", "conventions", "region"}
"""Fields that other things decide, or that options of other names make up."""


def expected(start: PipelineSettings) -> dict[str, object]:
    """The default of each option, by the option's name."""
    flat = {f.name: getattr(start, f.name) for f in fields(start) if f.name not in {"backend", "detector"}}
    flat |= {"backend" if key == "name" else key: value for key, value in vars(start.backend).items()}
    flat |= {"detector" if key == "name" else key: value for key, value in vars(start.detector).items()}
    flat |= dict.fromkeys(("labels", "scaling", "channels", "output_name"))
    renamed = {"uncertain_below": "uncertain"}
    return {renamed.get(key, key): value for key, value in flat.items() if key not in WITHOUT_OPTION}


def defaults(name: str) -> Mapping[str, object]:
    """The value of each option that is not given, as the command gets it; none of options that may be repeated."""
    arguments = {"image": ["a.jpg"], "video": ["a.mp4"], "evaluate": ["--data", "faces"], "inspect": ["a.onnx"]}
    ctx = parse(name, *arguments.get(name, []))
    options = {parameter.name for parameter in ctx.command.params if isinstance(parameter, click.Option)}
    return {key: value for key, value in ctx.params.items() if key in options and value != ()}


@pytest.mark.parametrize("name", STARTS)
def test_options_that_are_not_given_mean_the_settings(name: str) -> None:
    known, given = expected(STARTS[name]), defaults(name)
    shared = known.keys() & given.keys()
    assert shared
    assert {key: given[key] for key in shared} == {key: known[key] for key in shared}


@pytest.mark.parametrize(("name", "missing"), [("image", {"smoothing"}), ("video", set()), ("live", set())])
def test_every_setting_has_its_option(name: str, missing: set[str]) -> None:
    assert expected(STARTS[name]).keys() - defaults(name).keys() == missing


def test_functions_take_their_defaults_from_the_settings() -> None:
    known = expected(PHOTOS)
    for name, parameter in inspect.signature(api.open_pipeline).parameters.items():
        if name == "min_face":
            assert parameter.default is None
        elif name in known:
            assert parameter.default == known[name], name
    assert inspect.signature(api.stream).parameters["smoothing"].default == CLIPS.smoothing
    assert inspect.signature(EmotionScorer).parameters["max_failures"].default == PipelineSettings.max_failures
    for function, settings in ((create_backend, BackendSettings()), (HaarDetector, DetectorSettings())):
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.default is not parameter.empty and hasattr(settings, name):
                assert parameter.default == getattr(settings, name), name
    assert (View().min_face, View().smoothing) == (LIVE.detector.min_face, LIVE.smoothing)


def test_photos_clips_and_live_differ_in_what_the_documentation_says() -> None:
    assert [str(one.detector.min_face) for one in (PHOTOS, CLIPS, LIVE)] == ["5%", "10%", "10%"]
    assert [one.track for one in (PHOTOS, CLIPS, LIVE)] == [False, True, True]
    assert [one.smoothing for one in (CLIPS, LIVE)] == [0.3, 0.5]
    assert BackendSettings.max_model_memory == parse_size("4GB")
