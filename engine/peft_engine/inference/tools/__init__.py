"""Functions that a model may call: declared to it, forced upon it where asked for, and read from what it writes."""
