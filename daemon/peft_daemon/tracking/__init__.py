"""Sending what runs measured to the trackers that their configs name.

The worker knows nothing of it: whoever watches runs reads their event logs and sends what is missing, and how far that
is stands in each run's directory. So neither an outage nor a crash of either side loses or repeats a point.
"""
