"""The plan of a sweep: configs × grid × seeds × folds, each value checked before any run starts.

A grid has a key on each axis, and a setting is a combination of one value of each. Of 200 widths
and 500 lengths there are 100,000 settings, so a plan checks values, and makes settings later:

1. `load` reads a config with its own grid and the arguments, and gives a `Grid` of `grid`.
2. `validate` puts each value into the config beside the first values of the other keys, and
   prepares the run: data, shapes, memory, ranges. These are 699 checks, a sum and no product. A
   wrong value is refused here, at its place, with all others (`problems`).
3. A setting becomes a `Variant` when its run starts (`variants`): with its resolved config and the
   identities of its runs, as `nnrun train` makes them. The `Plan` orders settings by the time that
   their values make them take, long ones first, and deals the runs out to shards.
4. What is wrong only together shows then. Its runs fail with the reason, `Variant.refused`, and the
   others go on. Two equal settings show then too, and are one.

Grids of few settings are made as a whole in step 2. So what two keys exclude by their own rules is
refused there, and the number of settings and their estimates are exact.

Seeds of the split and folds in a grid make no settings: they are runs of each (`Axis.of_runs`).
"""
