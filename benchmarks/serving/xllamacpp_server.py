"""llama.cpp's own server, as `xllamacpp` carries it: `xllamacpp_server.py MODEL THREADS SLOTS CONTEXT [ADAPTER…]`.

Prints its address. It gives every adapter a scale of 1 although it is told not to apply them, so each request that we
send names all of them with their scales.
"""

import sys
import threading

import xllamacpp


def main(model: str, threads: str, slots: str, context: str, *adapters: str) -> None:
    """Serve until killed."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(threads)
    parameters.n_parallel = int(slots)
    parameters.n_ctx = int(slots) * int(context)
    parameters.port = 0
    parameters.lora_init_without_apply = True
    parameters.lora_adapters = [_adapter(path) for path in adapters]
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    threading.Event().wait()


def _adapter(path: str) -> xllamacpp.CommonAdapterLoraInfo:
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path, adapter.scale = path, 0.0
    return adapter


if __name__ == "__main__":
    main(*sys.argv[1:])
