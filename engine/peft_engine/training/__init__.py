"""The training worker: `python -m peft_engine.training <run directory>`. Heavy; only ever its own process.

The modules that decide what is true about a run (journal, stop, failures) import nothing heavy, so that the worker has
said who it is within a fraction of a second, before torch is read from disk.
"""
