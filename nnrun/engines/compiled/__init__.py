"""The compiled engine: a function for one network, or kernels for all networks, by `choice`.

`generated` writes the source of a function for one network, for single rows and small networks;
`tape` lists calls of `kernels` for larger ones. Both take their mathematics from `formulas`, and
are written in the language of `nnrun.compiler`.
"""
