"""Runs as the daemon and the command line see them: launch, follow, judge, stop. A run needs none of this to go on."""
