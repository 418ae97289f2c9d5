"""The inference process as its clients see it: find it, start it, watch it, ask it. Nothing here loads a model."""
