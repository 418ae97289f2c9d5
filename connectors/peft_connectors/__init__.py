"""Connectors to other platforms, one module a platform, each behind a small contract.

They speak plain HTTP, know nothing of runs on disk, and are loaded only where a config names them.
"""
