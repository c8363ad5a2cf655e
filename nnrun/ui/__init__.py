"""The report as a local page that is alive: a server that reads a results folder."""
