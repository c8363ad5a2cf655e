"""Configs that are no configs, or that mean more than they say."""

from __future__ import annotations

from tests.hostile.refusals import CONFIG, config, whole

CASES = [
    # Numbers
    config(
        "5,000 hexadecimal digits", f"seed: 0x{'f' * 5000}", "a number of 5002 characters is too"
    ),
    config(
        "5,000 octal digits", f"seed: 0o{'7' * 5000}", "a number of 5002 characters is too long"
    ),
    config("5,000 digits", f"seed: {'1' * 5000}", "a number of 5000 characters is too long"),
    config("3,500 digits", f"seed: {'1' * 3500}", "it does not fit into 64 bits"),
    config("3,500 hexadecimal digits", f"seed: 0x{'f' * 3498}", "it does not fit into 64 bits"),
    config(
        "a float of 400 digits",
        f"description: !!float {'1' * 400}",
        "a number of 400 characters is too large for a float",
    ),
    # Nothing at all
    whole("an empty file", "", "a.yaml:1:1: the file is empty; `nnrun init` writes a config"),
    whole("a mark of the order of bytes", b"\xef\xbb\xbf", "a.yaml:1:1: the file is empty"),
    whole("blanks", "  \n\n", "a.yaml:1:1: the file is empty"),
    whole("a comment", "# nothing\n", "a.yaml:1:1: the file is empty"),
    whole("a start of a document", "---\n", "a.yaml:2:1: the file is empty"),
    whole("null", "null\n", "a.yaml:1:1: the file is empty"),
    whole("a tilde", "---\n~\n", "a.yaml:2:1: the file is empty"),
    # What ends a line in YAML 1.1 ends none in YAML 1.2
    whole("U+2028", CONFIG.replace("loss:", "# \u2028loss:"), "the config needs 'loss'"),
    whole("U+2029", CONFIG.replace("loss:", "# \u2029loss:"), "the config needs 'loss'"),
    whole("U+0085", CONFIG.replace("loss:", "# \x85loss:"), "the config needs 'loss'"),
]
