"""Runs of the compiled engine on an emulated ARM64 processor: the same bits as on this one."""
