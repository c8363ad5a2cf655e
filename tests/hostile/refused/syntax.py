"""Files that are no YAML, or YAML that would do more than hold data."""

from __future__ import annotations

from itertools import pairwise

from tests.hostile.refused.refusals import CONFIG, config, whole

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
    # Tags and what else would run code or reach out
    *(
        config(f"the tag {tag}", f"description: {tag} x", f"the tag '{tag}' is not allowed")
        for tag in (
            "!!python/name:os.system",
            "!!python/module:os",
            "!!python/object/apply:os.system",
            "!!python/object/new:os.system",
            "!!python/object:os.system",
            "!!python/tuple",
            "!!binary",
            "!!timestamp",
            "!!omap",
            "!!set",
            "!!pairs",
            "!!merge",
            "!!value",
            "!!yaml",
            "!include",
            "!ENV",
            "!Ref",
            "!",
        )
        if tag != "!"
    ),
    config(
        "a tag on a list",
        "description: !!python/object/apply:os.system [id]",
        "the tag '!!python/object/apply:os.system' is not allowed",
    ),
    config(
        "a tag on a mapping",
        "description: !!python/object:os.system {a: 1}",
        "the tag '!!python/object:os.system' is not allowed",
    ),
    config("a tag on a key", "!!python/name:os.system x: 1", "the tag '!!python/name:os.system'"),
    config(
        "a verbatim tag", "description: !<tag:evil,1:x> y", "the tag 'tag:evil,1:x' is not allowed"
    ),
    whole("a tag on all", "!!python/object:os.system\n" + CONFIG, "is not allowed"),
    whole(
        "a handle",
        "%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!name:os.system x\n",
        "is not allowed",
    ),
    config("a number that is none", "seed: !!int x", "'x' is not what the tag '!!int' says"),
    config("a truth that is none", "seed: !!bool 7", "'7' is not what the tag '!!bool' says"),
    config("a null that is none", "seed: !!null 7", "'7' is not what the tag '!!null' says"),
    # Structure
    whole("a list", "- 1\n- 2\n", "a config is a mapping of keys to values"),
    whole("a word", "hello", "a config is a mapping of keys to values"),
    whole("a number", "42", "a config is a mapping of keys to values"),
    whole("quoted nothing", '""', "a config is a mapping of keys to values"),
    whole("an open bracket", "a: [1, 2", "1:9: this is not YAML: did not find expected ',' or ']'"),
    whole("an open brace", "a: {b: 1", "1:9: this is not YAML: did not find expected ',' or '}'"),
    whole("an open quote", 'a: "b', "1:6: this is not YAML: unexpected end of stream"),
    whole("a closed bracket", "a: 1]\nb: ]", "2:4: this is not YAML: did not find expected node"),
    whole("two colons", "a: b: c", "a ':' is not allowed here"),
    whole("a tab", "a:\n\tb: 1\n", "tabs cannot indent YAML; use spaces"),
    whole(
        "a directive", "%YAML 9.9\n---\na: 1\n", "1:1: this is not YAML: incompatible YAML document"
    ),
    whole("a reserved sign", "a: @b", "this is not YAML"),
    whole("a backquote", "a: `b`", "this is not YAML"),
    whole("an odd escape", 'a: "\\q"', "1:5: this is not YAML: unknown escape character"),
    whole("a short escape", 'a: "\\x1"', "1:7: this is not YAML: did not find expected hexdecimal"),
    whole(
        "an escape beyond Unicode",
        'a: "\\U00110000"',
        "this is not YAML: invalid Unicode character escape",
    ),
    whole(
        "an escaped surrogate",
        'description: "\\ud800"',
        "this is not YAML: invalid Unicode character escape",
    ),
    whole("1,000 brackets", "[" * 1000, "nested deeper than 40 levels"),
    whole("100,000 brackets", "[" * 100_000, "nested deeper than 40 levels"),
    whole("100,000 braces", "{a: " * 100_000, "nested deeper than 40 levels"),
    whole("100,000 dashes", "- " * 100_000, "nested deeper than 40 levels"),
    whole("41 levels", "a: " + "[" * 41 + "]" * 41, "nested deeper than 40 levels"),
    whole("deep keys", "? " * 100_000, "a.yaml:1:3: a key must be a word"),
    whole(
        "two documents", CONFIG + "---\n" + CONFIG, "a second document starts here; a config is one"
    ),
    whole("an end and a start", CONFIG + "...\n---\na: 1\n", "a second document starts here"),
    whole(
        "a merge conflict",
        "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n",
        "a merge conflict is left here",
    ),
    config("a key twice", "seed: 1\nseed: 2", "'seed' is given twice, the first time on line 5"),
    config(
        "a key twice in a block", "published: {source: a, source: b}", "'source' is given twice"
    ),
    config("merging", "x: &x {a: 1}\ny: {<<: *x}", "'<<' (merging) is not part of YAML 1.2"),
    config("a list as a key", "? [a, b]\n: 1", "a key must be a word"),
    config("a mapping as a key", "{a: 1}: 1", "a key must be a word"),
    config("an alias as a key", "x: &x a\n*x : 1", "a key must be a word"),
    # Anchors
    config(
        "an anchor that is not there",
        "description: *nowhere",
        "there is no anchor '&nowhere' above",
    ),
    config("an anchor below", "seed: *x\ndescription: &x a", "there is no anchor '&x' above"),
    config(
        "an anchor within itself", "description: &x [*x]", "'*x' stands inside of what it repeats"
    ),
    config(
        "a mapping within itself",
        "description: &x {a: *x}",
        "'*x' stands inside of what it repeats",
    ),
    config(
        "a billion laughs",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi")),
        "with its aliases written out, this is more than 50,000 values",
    ),
    config(
        "a quadratic blow-up",
        f"a: &a [{', '.join('x' * 1000)}]\nb: [{', '.join(['*a'] * 1000)}]\n",
        "with its aliases written out, this is more than 50,000 values",
    ),
    config("60,000 values", f"x: [{'1, ' * 60_000}]", "this is more than 50,000 values"),
    # Characters
    whole("NUL", b"a: 1\0\n", "the character U+0000 is not allowed in YAML"),
    whole("ESC", b"a: \x1b[31m\n", "the character U+001B is not allowed in YAML"),
    whole("DEL", b"a: \x7f\n", "the character U+007F is not allowed in YAML"),
    whole("U+0081", "a: \x81\n", "the character U+0081 is not allowed in YAML"),
    whole("U+FFFE", "a: \ufffe\n", "the character U+FFFE is not allowed in YAML"),
    whole("U+FFFF", "a: \uffff\n", "the character U+FFFF is not allowed in YAML"),
    whole("an encoded surrogate", b"a: \xed\xa0\x80\n", "byte 0xed is not UTF-8"),
    whole(
        "Latin-1", "a: ü\n".encode("latin-1"), "byte 0xfc is not UTF-8; save the file with UTF-8"
    ),
    whole("UTF-16", CONFIG.encode("utf-16"), "byte 0xff is not UTF-8"),
    whole(
        "UTF-16 without a mark", CONFIG.encode("utf-16-le"), "the character U+0000 is not allowed"
    ),
    whole("UTF-32", CONFIG.encode("utf-32"), "is not UTF-8"),
    whole("an overlong slash", b"a: \xc0\xaf\n", "byte 0xc0 is not UTF-8"),
    whole("half a character", b"a: \xe2\x82", "byte 0xe2 is not UTF-8"),
    whole("a picture", b"\x89PNG\r\n\x1a\n" + bytes(100), "byte 0x89 is not UTF-8"),
    whole("a program", b"\x7fELF\x02\x01\x01" + bytes(100), "the character U+007F is not allowed"),
    whole("a pickle", b"\x80\x04\x95\x1d\x00", "byte 0x80 is not UTF-8"),
    whole("a zip file", b"PK\x03\x04" + bytes(20), "the character U+0003 is not allowed"),
]
