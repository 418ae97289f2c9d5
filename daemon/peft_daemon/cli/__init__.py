"""The command line: the same product without an editor. One module a command, each a plain typed function."""
