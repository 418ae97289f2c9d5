"""The daemon: language server, run supervision, the client of the inference process, and the command line."""
