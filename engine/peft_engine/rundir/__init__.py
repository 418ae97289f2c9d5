"""The run directory: the truth of a run.

```
runs/<id>/
  config.peft.yaml       the file as it was when the run started
  config.resolved.json   every effective value and its origin
  environment.json       versions, hardware, seed
  events.jsonl           append-only, one event a line
  state.json             who runs and how far; rewritten whole
  control.json           what a person asks of the worker
  tracker.json           which measurements a tracker has, where the config names one
  checkpoints/step-000050/   with a manifest of hashes
  adapter/               a standard PEFT adapter
  adapter.gguf           the same for llama.cpp
  manifest.json          the hash of every artifact, written last
  worker.log             the worker's raw output
```
"""

from peft_engine.rundir.directory import RunDirectory, create_run_directory, find_run, list_runs
from peft_engine.rundir.events import EventLog, EventTail

__all__ = ["EventLog", "EventTail", "RunDirectory", "create_run_directory", "find_run", "list_runs"]
