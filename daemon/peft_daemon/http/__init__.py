"""Runs over HTTP, for programs of this user: the same commands, checks and words as everywhere else."""
