"""A small compiler, whose machine code other parts run.

`language` translates plain functions to LLVM's code; `llvm` compiles, caches and loads it.
"""
