"""The report as a live page on this machine: a server that reads a results folder."""
