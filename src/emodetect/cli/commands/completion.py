"""``emodetect completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from emodetect.cli.options import common_options


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
@common_options
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell completion script for commands, options, backends and files.

    \b
    bash: eval "$(emodetect completion bash)"      in ~/.bashrc
    zsh:  eval "$(emodetect completion zsh)"       in ~/.zshrc, after compinit
    fish: emodetect completion fish | source       in ~/.config/fish/config.fish
    """
    from emodetect.cli.group import COMPLETE_VARIABLE

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "emodetect", COMPLETE_VARIABLE).source())
