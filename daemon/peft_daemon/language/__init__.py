"""The language server: documents, rules, and one module an LSP feature."""
