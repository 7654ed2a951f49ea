"""The command line. Command modules are imported when they are run; errors become one line and an exit code."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
from typing import Any, NoReturn

import click

from emodetect.cli.configuration import name_variables, origin, with_origins
from emodetect.cli.messages import say, say_lines, show
from emodetect.cli.signals import EXIT_INTERRUPTED, Terminated, handle_signals
from emodetect.cli.standard_streams import STANDARD_OUTPUT, give_up, open_standard_streams
from emodetect.errors import EmodetectError, broken_package, first_line
from emodetect.media.pixel_limit import limit_pixels
from emodetect.system.environment import prepare_own_process, remove_caches, temporary_folder
from emodetect.system.native_output import is_debugging, set_debugging
from emodetect.text.suggestions import command_for, did_you_mean

_COMMANDS = {
    "live": ("emodetect.cli.commands.live:live", "Show the emotions of the faces before a camera."),
    "image": ("emodetect.cli.commands.image:image", "Read the emotions off the faces in photos."),
    "video": ("emodetect.cli.commands.video:video", "Read the emotions off every frame of a clip."),
    "report": ("emodetect.cli.commands.report:report", "Make a page of a clip's log, for a browser."),
    "bench": ("emodetect.cli.commands.bench:bench", "Measure how fast this machine is."),
    "train": ("emodetect.cli.commands.train:train", "Train a network on labeled faces."),
    "evaluate": ("emodetect.cli.commands.evaluate:evaluate", "Judge models on labeled face crops."),
    "inspect": ("emodetect.cli.commands.inspect:inspect", "Show what a model file says of itself, and what is assumed."),
    "export": ("emodetect.cli.commands.export:export", "Turn a trained network into ONNX."),
    "doctor": ("emodetect.cli.commands.doctor:doctor", "Find out what is wrong here, and what helps."),
    "cameras": ("emodetect.cli.commands.cameras:cameras", "List the cameras."),
    "backends": ("emodetect.cli.commands.backends:backends", "List what can read emotions, and what it lacks."),
    "config": ("emodetect.cli.commands.config:config", "Show the options that a file or variables set."),
    "completion": ("emodetect.cli.commands.completion:completion", "Print what makes a shell complete commands and options."),
}
"""Where each command is, and its line in the overview, which is shown without importing it."""

_LEFT_BEHIND = ("reader", "classify", "load")
"""Threads that may still be inside a native call when all else has ended: reading a source, running a network, loading one."""

COMPLETE_VARIABLE = "_EMODETECT_COMPLETE"
"""What a shell sets when it wants to know how a line could go on, however the program was started."""

_SOURCES = ("--cam", "--camera", "--clip", "--device", "--file", "--input", "--stream", "--url", "--video", "--webcam")

_MEANT = {
    **dict.fromkeys(_SOURCES, "--source"),
    **dict.fromkeys(("--confidence", "--min-confidence", "--threshold"), "--uncertain"),
    **dict.fromkeys(("--csv", "--json"), "--log"),
    **dict.fromkeys(("--folder", "--out", "--outfile", "--save"), "--output"),
    **dict.fromkeys(("--headless", "--no-display", "--no-gui"), "--no-window"),
    **dict.fromkeys(("--flip", "--selfie"), "--mirror"),
    **dict.fromkeys(("--force", "--yes"), "--overwrite"),
    **dict.fromkeys(("--lang", "--locale"), "--language"),
    **dict.fromkeys(("--skip", "--stride"), "--every"),
    **dict.fromkeys(("--weights", "--network"), "--model"),
}
"""What people write who know other programs, and what it is called here."""

_FORMATS = ("--csv", "--json", "--table")
"""What people write who mean ``--format`` with this name."""

_PLAINER = {
    "is not a valid float range": "is no number",
    "is not a valid integer range": "is no whole number",
    "is not a valid float": "is no number",
    "is not a valid integer": "is no whole number",
    "is not a valid boolean": "is neither true nor false",
}
"""What Click says of values, and how it is said here."""

# What newer versions of Click raise for a command without arguments; older ones print the help themselves.
_NoArguments: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        command.short_help = _COMMANDS[cmd_name][1]  # for shells that show it; of the help itself they would cut off the end
        name_variables(cmd_name, command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"no command {name!r}{_meant(name)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EmodetectError as error:
            error.args = (with_origins(str(error), ctx),)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


def _meant(name: str) -> str:
    """What somebody wanted who wrote this where a command belongs: a command, or a file's own one."""
    if os.path.exists(name):
        command = command_for(name) or "image"
        kind = "folder" if os.path.isdir(name) else "file"
        return f", but there is a {kind} of that name; did you mean 'emodetect {command} {name}'?"
    if name in ("help", "version"):
        return f"; did you mean 'emodetect --{name}'?"
    return did_you_mean(name, _COMMANDS) or f"; there are {', '.join(_COMMANDS)}"


def _show_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        show(f"emodetect {version('emodetect')}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-V", "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version,
              help="Show the version.")  # fmt: skip
def cli() -> None:
    """Read emotions off faces: in photos, in clips, and live from a camera.

    What a face shows is not what a person feels. Scores say how a face would be labeled by people who see only the face.
    """


class _Lines(logging.Handler):
    """Warnings as errors are shown: one line on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"emodetect: {record.getMessage()}")


def main() -> None:
    """Run the command line and exit with the documented code."""
    if "--debug" in sys.argv[1:]:
        set_debugging(True)  # before anything can fail; the option itself does so once it is read
    prepare_own_process()
    open_standard_streams()
    limit_pixels()
    logging.getLogger("emodetect").addHandler(_Lines())
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads our output has seen enough, as in `emodetect image ... | head -1`
        give_up(1, 2)
        code = 1
    except OSError as error:  # of standard output; `_run` lets no other through
        give_up(1)
        code = _report(error, f"standard output cannot be written ({error.strerror or error})", 1)
    _leave(code)


_SIGNALLED = 128
"""Exit codes above this are those of signals."""


def _leave(code: int) -> NoReturn:
    """End the process; outputs are closed by now.

    A thread that was left behind in a native call would, if that returns while Python takes itself down, abort the process. And
    where Ctrl-C came inside an `exec`, as there is in many an import, or a further signal comes while Python takes itself down,
    the process would end by the signal instead of this code.
    """
    if code > _SIGNALLED or any(thread.name in _LEFT_BEHIND for thread in threading.enumerate()):
        sys.stderr.flush()
        remove_caches()
        os._exit(code)
    sys.exit(code)


def _run() -> int:
    """Run the command line and report what it raises; returns the exit code."""
    code: Any
    try:
        handle_signals()  # in here, since a signal may come at once
        if COMPLETE_VARIABLE in os.environ:
            importlib.import_module("emodetect.cli.shell_completion").check_words(os.environ[COMPLETE_VARIABLE])
        code = cli.main(complete_var=COMPLETE_VARIABLE, standalone_mode=False)
    except EmodetectError as error:
        code = _report(error, str(error), error.exit_code)
    except _NoArguments as error:
        error.show()  # the help, as it was laid out
        code = error.exit_code
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            say_lines(f"{error.ctx.get_usage()}\n{_help_hint(error.ctx)}")
        code = _report(error, _message(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say("emodetect: interrupted")
        code = EXIT_INTERRUPTED
    except Terminated as error:
        code = error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and error.filename == STANDARD_OUTPUT:
            raise
        code = _report(error, _unexpected(error), 1)
    return code if isinstance(code, int) else 0


def _unexpected(error: Exception) -> str:
    """What to say of an error that is none of ours: what the system refuses, and packages that are broken, have their reasons."""
    package = broken_package(error)
    is_about_no_file = isinstance(error, OSError) and error.filename is None
    if (is_about_no_file or package) and temporary_folder() is None:  # libraries say this in many ways, or not at all
        return "no folder for temporary files can be written to; name one in the variable TMPDIR"
    if isinstance(error, OSError) and error.strerror:
        if error.filename is not None:
            return f"{error.filename}: {error.strerror}"
        if isinstance(error, FileNotFoundError):  # what is asked for without a name is the current folder
            return "the current folder does not exist any more"
        return f"{error.strerror} (--debug shows where)"
    if package:
        return f"the package {package} is missing or broken ({first_line(error)}); 'emodetect doctor' says what helps"
    if isinstance(error, MemoryError):
        return "there is not enough memory (--debug shows where)"
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _message(error: click.ClickException) -> str:
    """What Click says, and where a value comes from that is not on the command line."""
    text = error.format_message()
    if isinstance(error, click.BadParameter):
        for theirs, ours in _PLAINER.items():
            text = text.replace(theirs, ours)
        return text.partition(" Recognized values")[0] + origin(error.ctx, error.param)
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        if error.ctx.command is cli and (hint := _misplaced(error.option_name, error.ctx)):
            return hint
        return f"No such option '{error.option_name}'{_meant_option(error.option_name, error.ctx)}"
    if type(error) is click.UsageError and error.ctx is not None and "unexpected extra argument" in text:
        return f"{text}; {_arguments(error.ctx)}"
    return text


def _meant_option(option: str, ctx: click.Context) -> str:
    """What somebody wanted who wrote this as an option of a command."""
    known = {name: parameter for parameter in ctx.command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    if option in _FORMATS and isinstance(choice := getattr(known.get("--format"), "type", None), click.Choice):
        if option[2:] in choice.choices:
            return f"; did you mean --format {option[2:]}?"
    elif _MEANT.get(option) in known:
        return f"; did you mean {_MEANT[option]}?"
    if option in (*_SOURCES, "--source") and (names := _argument_names(ctx)):
        return f"; {' '.join(names)} is named without an option"
    return did_you_mean(option, [name for name in known if name.startswith("--")])


def _misplaced(option: str, ctx: click.Context) -> str:
    """Where an option belongs that stands before the command: after the named one, else after the first that has it."""
    named = [word for word in sys.argv[1:] if word in _COMMANDS][:1]
    for name in named or _COMMANDS:
        command = cli.get_command(ctx, name)
        if command is not None and any(option in (*other.opts, *other.secondary_opts) for other in command.params):
            return f"No such option '{option}'; options stand after the command, as in 'emodetect {name} {option}'"
    return ""


def _arguments(ctx: click.Context) -> str:
    """What a command takes besides options."""
    if names := _argument_names(ctx):
        return f"'{ctx.info_name}' takes {' '.join(names)} and options"
    return f"'{ctx.info_name}' takes options only{'; did you mean --source?' if _takes_source(ctx) else ''}"


def _argument_names(ctx: click.Context) -> list[str]:
    return [parameter.human_readable_name for parameter in ctx.command.params if isinstance(parameter, click.Argument)]


def _takes_source(ctx: click.Context) -> bool:
    return any("--source" in parameter.opts for parameter in ctx.command.params)


def _help_hint(ctx: click.Context) -> str:
    return f"Try '{ctx.command_path} --help'."


def _report(error: Exception, message: str, code: int) -> int:
    if is_debugging():
        import traceback

        say_lines("".join(traceback.format_exception(error)))
    say(f"emodetect: {message}")
    return code
