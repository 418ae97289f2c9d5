"""The batching server among llama-cpp-python's examples: `example_server.py SCRIPT MODEL THREADS SLOTS CONTEXT PORT`.

Its configuration is that of its own smallest example, with our slots, context and threads.
"""

import json
import runpy
import sys
import tempfile
from pathlib import Path
from types import ModuleType


def main(script: str, model: str, threads: str, slots: str, context: str, port: str) -> None:
    """Serve until killed."""
    # Images need a library that builds for text alone do without, and the script imports it in any case.
    sys.modules["llama_cpp.mtmd_cpp"] = ModuleType("llama_cpp.mtmd_cpp")
    config = {
        "server": {"host": "127.0.0.1", "port": int(port)},
        "model": {
            "path": model,
            "alias": "base",
            "n_ctx": int(slots) * int(context),
            "n_seq_max": int(slots),
            "n_batch": 128,
            "n_ubatch": 128,
            "threads": int(threads),
            "threads_batch": int(threads),
            "kv_unified": True,
            "store_logits": False,
            "use_mmap": True,
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        sys.argv = [script, "--config-file", str(path)]
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
