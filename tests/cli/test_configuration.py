from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest
from click.core import ParameterSource

from emodetect.cli.configuration import configuration_path, key_of
from emodetect.errors import SourceError, UsageError
from emodetect.faces.detector import MinFace
from tests.builders import PHOTO
from tests.cli.parsing import command_named, options, parse
from tests.cli.running import assert_one_line, run

NOT_SET = {"config", "data", "quiet", "verbose", "debug"}
"""Options left out where all are tried: needed anyway, or about how much is said, which has tests of its own."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user who has no configuration yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def sample(option: click.Option) -> str | int | float | bool:
    """A value that the option takes."""
    if option.is_flag:
        return True
    if isinstance(option.type, click.Choice):
        return str(option.type.choices[0])
    if not isinstance(option.type, click.types.IntParamType | click.types.FloatParamType):
        return "1"
    for number in (1, 0.25, 1.5):
        try:
            option.type.convert(number, option, None)
        except click.BadParameter:
            continue
        return number
    raise AssertionError(option)


EVERY = [pytest.param(name, option, id=f"{name}-{key_of(option)}") for name, option in options() if key_of(option) not in NOT_SET]


def needed(name: str) -> list[str]:
    """What a command cannot be combined without."""
    words = []
    for parameter in command_named(name).params:
        if parameter.required:
            words += parameter.opts if isinstance(parameter, click.Option) else []
            words += [str(parameter.type.choices[0]) if isinstance(parameter.type, click.Choice) else "a"]
    return words


def source_of(name: str, option: click.Option, *arguments: str) -> ParameterSource | None:
    """Where the command takes this option's value from, also where it is not what the option wants."""
    try:
        context = parse(name, *needed(name), *arguments)
    except click.BadParameter as error:
        if error.ctx is None or error.param is None or error.param.name != option.name:
            raise
        context = error.ctx
    return context.get_parameter_source(option.name or "")


@pytest.mark.parametrize(("name", "option"), EVERY)
def test_each_option_has_its_variables(name: str, option: click.Option, monkeypatch: pytest.MonkeyPatch) -> None:
    ending = key_of(option).upper().replace("-", "_")
    for variable in (f"EMODETECT_{name.upper()}_{ending}", f"EMODETECT_{ending}"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, str(sample(option)))
            assert source_of(name, option) is ParameterSource.ENVIRONMENT


@pytest.mark.parametrize(("name", "option"), EVERY)
@pytest.mark.parametrize("shared", [False, True], ids=["table", "shared"])
def test_each_option_has_its_key_in_the_file(name: str, option: click.Option, shared: bool, tmp_path: Path) -> None:
    line = f"{key_of(option)} = {json.dumps(sample(option))}\n"
    path = write(tmp_path / "my.toml", line if shared else f"[{name}]\n{line}")

    assert source_of(name, option, "--config", str(path)) is ParameterSource.DEFAULT_MAP


def test_the_command_line_goes_before_variables_these_before_the_file_and_that_before_the_default(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configuration_path()
    assert path == home / "emodetect" / "config.toml"

    found = [parse("live").params["smoothing"]]
    write(path, "smoothing = 0.6")
    found.append(parse("live").params["smoothing"])
    write(path, "smoothing = 0.6\n[live]\nsmoothing = 0.7\n")
    found.append(parse("live").params["smoothing"])
    monkeypatch.setenv("EMODETECT_SMOOTHING", "0.8")
    found.append(parse("live").params["smoothing"])
    monkeypatch.setenv("EMODETECT_LIVE_SMOOTHING", "0.9")
    found.append(parse("live").params["smoothing"])
    found.append(parse("live", "--smoothing", "1").params["smoothing"])

    assert found == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_values_of_each_kind(home: Path) -> None:
    write(
        configuration_path(),
        """
        model = "ferplus"
        [live]
        source = 1
        mirror = false
        min_face = 64
        loop = true
        [bench]
        model = ["fer2013", "mine.onnx"]
        frames = 10
        """,
    )

    live, bench = parse("live").params, parse("bench").params

    assert (live["source"], live["mirror"], live["min_face"], live["loop"], live["model"]) == (
        "1",
        False,
        MinFace(64, relative=False),
        True,
        "ferplus",
    )
    assert (bench["models"], bench["frames"]) == (("fer2013", "mine.onnx"), 10)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[live]\nsorce = '1'", ["[live] sorce is no option of live", "did you mean 'source'?"]),
        ("[lve]\nsource = '1'", ["[lve] is no command", "did you mean 'live'?"]),
        ("bakend = 'cnn'", ["bakend is no option of any command", "did you mean 'backend'?"]),
        ("[live]\nconfig = 'other.toml'", ["[live] config is no option of live"]),
        ("[live]\nloop = 'yes'", ["[live] loop", "expected true or false", 'got "yes"']),
        ("[live]\nsmoothing = 'much'", ["[live] smoothing", "expected a number", 'got "much"']),
        ("[live]\nsmoothing = true", ["[live] smoothing", "expected a number", "got true"]),
        ("min-neighbors = 2.5", ["min-neighbors", "expected a whole number", "got 2.5"]),
        ("[live]\nlog = 3", ["[live] log", "expected a text in quotes", "got 3"]),
        ("[live]\nsource = [1, 2]", ["[live] source", "expected a text in quotes", "got a list"]),
        ("[live.source]\nname = 1", ["[live] source", "got a table"]),
        ("[live]\nsource = one", ["not a TOML file", "line 2", "in quotes"]),
        ("live = 1", ["live is no option of any command"]),
        ("[live]\nsource = " + 5000 * "[", ["not a TOML file", "too deep"]),
        ("[live]\nmin-neighbors = 0x" + 5000 * "f", ["[live] min-neighbors", "too large"]),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_place(text: str, parts: list[str], tmp_path: Path) -> None:
    path = write(tmp_path / "my.toml", text)

    with pytest.raises(UsageError) as caught:
        parse("live", "--config", str(path))

    for part in [str(path), *parts]:
        assert part in str(caught.value)


def test_a_file_that_is_named_and_missing(tmp_path: Path) -> None:
    write(tmp_path / "mine.toml", "")

    with pytest.raises(SourceError, match=r"mien\.toml: no such configuration file; did you mean 'mine\.toml'\?"):
        parse("live", "--config", str(tmp_path / "mien.toml"))


def test_the_program_says_it_in_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "my.toml", "[live]\nsorce = '1'")

    assert_one_line(run("live", "--config", path), 2, "sorce", "did you mean 'source'?")


def test_a_value_that_click_refuses_says_where_it_comes_from(tmp_path: Path) -> None:
    path = write(tmp_path / "my.toml", "uncertain = 7")

    from_file = run("image", PHOTO, "--config", path)
    from_variable = run("image", PHOTO, env={"EMODETECT_IMAGE_UNCERTAIN": "much"})

    assert (from_file.returncode, from_variable.returncode) == (2, 2)
    assert from_file.stderr.splitlines()[-1].endswith(f"(from {path})")
    assert from_variable.stderr.splitlines()[-1].endswith("(from the variable EMODETECT_IMAGE_UNCERTAIN)")


def test_a_run_that_goes_on_does_not_mind_what_is_set_for_new_ones(tmp_path: Path) -> None:
    with_variable = run("train", "--resume", tmp_path, env={"EMODETECT_TRAIN_ARCH": "baseline"})
    with_option = run("train", "--resume", tmp_path, "--seed", "3")

    assert_one_line(with_variable, 1, "not the folder of a training run")
    assert_one_line(with_option, 2, "--seed cannot be combined with --resume")


def test_an_error_says_where_the_value_comes_from(tmp_path: Path) -> None:
    path = write(tmp_path / "my.toml", 'model = "none.onnx"\n')

    from_variable = run("image", PHOTO, env={"EMODETECT_BACKEND": "deepfce"})
    from_file = run("image", PHOTO, "--config", path)
    typed = run("image", PHOTO, "--backend", "deepfce", "--config", path)

    assert_one_line(from_variable, 2, "no backend 'deepfce'", "(from the variable EMODETECT_BACKEND)")
    assert_one_line(from_file, 1, "none.onnx: no such model file", f"(from {path})")
    assert "(from" not in typed.stderr


def test_the_config_command_shows_what_is_set_and_where(tmp_path: Path) -> None:
    path = write(tmp_path / "my.toml", "backend = 'deepface'\n[live]\nmirror = false\n")
    env = {"EMODETECT_LIVE_SOURCE": "2", "EMODETECT_LIVE_SORCE": "3"}

    shown, data = run("config", "--config", path, env=env), run("config", "--config", path, "--format", "json", env=env)

    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0] == str(path)
    rows = [re.split(r"  +", line.rstrip()) for line in lines[2:]]
    assert rows[0] == ["option", "value", "from", "commands"]
    assert ["--source", "2", "EMODETECT_LIVE_SOURCE", "live"] in rows
    assert ["--mirror", "false", "the file", "live"] in rows
    assert ["--backend", "deepface", "the file", "live, image, video, batch, serve, bench, evaluate"] in rows
    assert "did you mean 'EMODETECT_LIVE_SOURCE'?" in shown.stderr
    record = json.loads(data.stdout)
    assert record["exists"] is True
    assert {"command": "live", "option": "source", "value": "2", "origin": "EMODETECT_LIVE_SOURCE"} in record["settings"]
    assert list(record["unknown_variables"]) == ["EMODETECT_LIVE_SORCE"]
