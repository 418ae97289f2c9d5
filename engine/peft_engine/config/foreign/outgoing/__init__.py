"""Configs of ours as files of other tools."""
