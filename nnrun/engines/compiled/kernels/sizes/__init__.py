"""Functions of sizes alone: layouts of arrays, tasks, scratch memory, the choice of kernels."""
