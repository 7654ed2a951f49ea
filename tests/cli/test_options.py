"""What options take, whatever the command does with it."""

from __future__ import annotations

import click
import pytest

from emodetect.cli.configuration import key_of
from tests.builders import PHOTO
from tests.cli.parsing import options, parse
from tests.cli.running import run

NUMBERS = [
    pytest.param(name, option, id=f"{name}-{key_of(option)}")
    for name, option in options()
    if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
]

ARGUMENTS = {
    "image": ["a"],
    "video": ["a"],
    "report": ["a"],
    "export": ["a", "b"],
    "inspect": ["a"],
    "evaluate": ["--data", "a"],
    "batch": ["a"],
}
"""What a command cannot be combined without."""


@pytest.mark.parametrize(("name", "option"), NUMBERS)
@pytest.mark.parametrize("value", ["nan", "-1", "1" + 30 * "0", 400 * "9", 5000 * "9"], ids=["nan", "-1", "30", "400", "5000"])
def test_a_number_that_is_none_or_out_of_all_bounds_is_refused(name: str, option: click.Option, value: str) -> None:
    if value not in ("nan", "-1") and isinstance(option.type, click.types.FloatParamType):
        value = "-" + value  # a time may be without end
    with pytest.raises(click.BadParameter):
        parse(name, *ARGUMENTS.get(name, []), f"--{key_of(option)}={value}")


@pytest.mark.parametrize(
    "time", [5000 * "9", 400 * "9" + ":00:00", "nan", "inf", "-1"], ids=["digits", "hours", "nan", "inf", "-1"]
)
def test_a_time_out_of_all_bounds_is_refused(time: str) -> None:
    with pytest.raises(click.BadParameter, match="is no time"):
        parse("video", "a", f"--start={time}")


@pytest.mark.parametrize("limit", ["abc", 30 * "9"])
def test_a_limit_in_the_environment_that_would_end_opencv(limit: str) -> None:
    done = run("image", PHOTO, "--format", "json", env={"OPENCV_IO_MAX_IMAGE_PIXELS": limit})

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["image", ""], ["image", "a.jpg", "--output", ""], ["image", "a.jpg", "--model", ""], ["video", ""], ["report", ""],
     ["evaluate", "--data", ""], ["evaluate", "--data", "a", "--model", ""], ["live", "--log", ""]],
)  # fmt: skip
def test_an_empty_name_is_not_the_current_folder(arguments: list[str]) -> None:
    with pytest.raises(click.BadParameter, match="is empty"):
        parse(*arguments)
