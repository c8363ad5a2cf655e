"""The tape: a network as a list of calls of kernels, which is data and is not compiled.

`plan` lays a network's arrays out and lists its stages, with one emitter per type of layer in
`layers`; `driver` turns that into numbers for `kernels.loops`, and runs it; `memory` takes the
memory and moves parameters in and out; `engine` is the engine. `text` prints a tape.

Where nothing reads them again, gradients and inputs are overwritten: with new arrays W7 takes
12% longer, and W9 6%. Max-pooling comes before rising functions: else W7 takes 20% longer.
"""
