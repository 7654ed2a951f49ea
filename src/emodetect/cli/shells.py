"""Click's completion in the shells, mended: values after ``=``, and descriptions that hold a comma.

Importing this module makes Click use it.
"""

from __future__ import annotations

from click.shell_completion import BashComplete, FishComplete, ZshComplete, add_completion_class
from typing_extensions import override


@add_completion_class
class _Bash(BashComplete):
    """Bash takes ``--format=js`` for three words."""

    @override
    def get_completion_args(self) -> tuple[list[str], str]:
        words, begun = super().get_completion_args()
        return (words[:-1], begun) if words and words[-1] == "=" else (words, begun)


@add_completion_class
class _Zsh(ZshComplete):
    """Zsh puts what is found in the place of the whole word, with the option in it."""

    source_template = ZshComplete.source_template.replace(
        "    response=(", "    [[ ${words[CURRENT]} == --*=* ]] && compset -P '*='\n\n    response=(", 1
    ).replace("compadd -U", 'compadd -U -i "$IPREFIX"', 1)


@add_completion_class
class _Fish(FishComplete):
    """Fish splits what is found at each comma, also those in the description."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split -m1 ","')
