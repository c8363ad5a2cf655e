"""Hints for options that do not exist."""

from __future__ import annotations

from collections.abc import Sequence

import click


def explained_option(error: click.NoSuchOption, words: Sequence[str]) -> click.NoSuchOption:
    """The error, with the argument that sets what the option seems to be meant for.

    Args:
        error: of an unknown option.
        words: the command line.
    """
    from nnrun.config.hints.key_locations import place_of  # noqa: PLC0415  # slow to import, for mistakes only
    from nnrun.config.hints.misplaced_arguments import option_of  # noqa: PLC0415

    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        # Of words such as -lr, click names the first letter that is no option.
        short = not error.option_name.startswith("--") and name.startswith(error.option_name)
        if name != error.option_name and not short:
            continue
        key = name.lstrip("-").replace("-", "_")
        value = value if equals else "" if following.startswith("-") else following
        place = place_of(key)
        meant = option_of(key, value) or (place and f"{place}={value or '...'}")
        if meant:
            message = f"No such option '{name}'; did you mean {meant}?"
            return click.NoSuchOption(error.option_name, message, ctx=error.ctx)
        break
    return error
