"""What the editor can ask about a document, one module an LSP feature.

A feature has pure functions and a `register(server)` that hands them to `server.feature` or `server.listen`. It is
loaded when it is first needed, so a new one is named in three places: `peft_daemon.server` lists its module,
`peft_daemon.capabilities` announces it, and `peft_daemon.lsp.params` has the shape of its params.
"""
