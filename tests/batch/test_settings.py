"""Comparison of the settings of two runs."""

from __future__ import annotations

import socket
from dataclasses import replace

import click
import pytest

from emodetect.batch.cluster import _check_reachable
from emodetect.batch.settings import BatchSettings, _parameters, changes
from emodetect.cli.configuration import option_for
from emodetect.cli.group import cli
from emodetect.errors import EmodetectError
from emodetect.faces.detector import MinFace
from emodetect.faces.region import Region
from emodetect.settings.pipeline import CLIPS, PHOTOS, PipelineSettings
from emodetect.sources.video import ClipPart

FACTS = BatchSettings(PHOTOS, CLIPS).as_dict()

FIXED = {"track", "hide_faces", "max_failures"}
"""Settings that the command decides."""


def test_every_setting_is_called_as_an_option_is() -> None:
    command = cli.get_command(click.Context(cli), "batch")
    assert command is not None
    names = {name for name, _ in _parameters(FACTS)} - FIXED
    assert [name for name in names if option_for(name, command) is None] == []


@pytest.mark.parametrize(
    ("photos", "clips", "part", "expected"),
    [
        ({"verify": False}, {"verify": False}, ClipPart(), ("`verify`", "on", "off")),
        ({"uncertain_below": 0.4}, {}, ClipPart(), ("`uncertain`", "the default", "0.4")),
        ({"region": Region(0, 0, 0.5, 1, relative=True)}, {}, ClipPart(), ("`region`", "the default", "0,0,0.5,1")),
        ({}, {}, ClipPart(every=5), ("`every`", "1", "5")),
    ],
)
def test_what_differs_is_told_by_its_parameter_once(
    photos: dict[str, object], clips: dict[str, object], part: ClipPart, expected: tuple[str, str, str]
) -> None:
    other = BatchSettings(replace(PHOTOS, **photos), replace(CLIPS, **clips), part)  # type: ignore[arg-type]
    assert [*changes(FACTS, other.as_dict())] == [expected]


def test_the_smallest_face_is_told_as_it_is_given() -> None:
    def larger(settings: PipelineSettings) -> PipelineSettings:
        return replace(settings, detector=replace(settings.detector, min_face=MinFace(80, relative=False)))

    assert [*changes(FACTS, BatchSettings(larger(PHOTOS), larger(CLIPS)).as_dict())] == [("`min_face`", "10%", "80")]


def test_models_and_versions_are_told() -> None:
    other = {**FACTS, "version": "0.0.1", "models": {**FACTS["models"], "cascade": "f" * 64}}
    assert [what for what, _, _ in changes(FACTS, other)] == ["the model file cascade", "emodetect"]


def test_a_cluster_that_does_not_answer_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        _check_reachable(address)
        _check_reachable("auto")
    with pytest.raises(EmodetectError, match="cannot be reached") as caught:
        _check_reachable(address)
    assert caught.value.parameter == "address"
