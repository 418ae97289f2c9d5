"""The Language Server Protocol over stdio, with nothing in it of fine-tuning.

Our own because a server's start is what its user waits for: importing the usual library for it takes longer than
everything else that stands between the editor's first byte and the first diagnostics.
"""
