"""The config language: reading a document with its positions, and resolving it to effective values."""
