"""The inference process: one a user, an OpenAI-compatible HTTP API over resident models.

```
http/       the API: routes, request models, the guard in front of them
scheduler   the queue between the API's event loop and the one thread that computes
residency   which bases are in memory
contract    what an engine is
llama/      the engine for GGUF files
template*   messages to prompt, in a process that can be killed
process     lock, token, serve.json, idle limit, the server's life
```

Clients find it by `serve.json`; they never import this package.
"""
