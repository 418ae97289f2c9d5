"""The least that an answer can cost: llama.cpp's own loop, with its defaults, and nothing around it.

`raw.py MODEL THREADS PROMPT TOKENS` prints what a token of the answer takes, as the servers are measured: in seconds
from the first to the last, in processor seconds from the prompt to the last.
"""

import ctypes
import json
import sys
import time

import llama_cpp as lib


def main(model: str, threads: str, prompt: str, tokens: str) -> None:
    """Answer greedily."""
    silent = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(silent, None)
    lib.llama_backend_init()
    weights = lib.llama_model_load_from_file(model.encode(), lib.llama_model_default_params())
    vocabulary = lib.llama_model_get_vocab(weights)
    parameters = lib.llama_context_default_params()
    parameters.n_ctx = 2048
    parameters.n_threads = parameters.n_threads_batch = int(threads)
    context = lib.llama_init_from_model(weights, parameters)
    sampler = lib.llama_sampler_init_greedy()
    ids = (lib.llama_token * 2048)()
    # What is done once for each process was done before the servers were measured, too.
    lib.llama_decode(context, lib.llama_batch_get_one(ids, 1))
    lib.llama_memory_clear(lib.llama_get_memory(context), True)
    spent = time.process_time()
    count = lib.llama_tokenize(vocabulary, prompt.encode(), len(prompt.encode()), ids, 2048, True, True)
    lib.llama_decode(context, lib.llama_batch_get_one(ids, count))
    newest = (lib.llama_token * 1)(lib.llama_sampler_sample(sampler, context, -1))
    start = time.perf_counter()
    for _ in range(int(tokens) - 1):
        lib.llama_decode(context, lib.llama_batch_get_one(ctypes.cast(newest, ctypes.POINTER(lib.llama_token)), 1))
        newest[0] = lib.llama_sampler_sample(sampler, context, -1)
    wall, processor = time.perf_counter() - start, time.process_time() - spent
    print(json.dumps({"wall": wall / (int(tokens) - 1), "processor": processor / int(tokens)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
