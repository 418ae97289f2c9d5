"""Folders as other tools leave them, planted with models of one tiny matrix."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType
from safetensors.numpy import save_file

TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_gguf(
    path: Path, *, kind: str = "model", template: str | None = TEMPLATE, tokens: Sequence[str] = ("a", "b")
) -> Path:
    """Write a model whose facts the tests know: llama, 12 parameters, F16, a context of 512, Apache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, "llama")
    writer.add_type(kind)
    writer.add_name(path.stem)
    writer.add_license("apache-2.0")
    writer.add_context_length(512)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    writer.add_token_list(list(tokens))
    if template is not None:
        writer.add_chat_template(template)
    writer.add_tensor("token_embd.weight", np.zeros((3, 4), np.float16), raw_dtype=GGMLQuantizationType.F16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_folder(folder: Path, **config: object) -> Path:
    """Save a base as transformers would: qwen2, 8 parameters, float32, a context of 256."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"model_type": "qwen2", "max_position_embeddings": 256, **config}
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}{{ tools }}"}))
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# A model\n")
    save_file({"model.embed_tokens.weight": np.zeros((4, 2), np.float32)}, folder / "model.safetensors")
    return folder


def plant_hub_cache(root: Path, name: str = "org/tiny") -> Path:
    """Lay a model out as Hugging Face does: blobs by hash, a snapshot of links to them. Returns the snapshot."""
    repository = root / f"models--{name.replace('/', '--')}"
    staged = write_folder(root / "staged")
    write_gguf(staged / "tiny-q4.gguf")
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "blobs").mkdir()
    for file in staged.iterdir():
        blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blob)
        (snapshot / file.name).symlink_to(Path("../..") / "blobs" / blob.name)
    (repository / "blobs" / "abc.incomplete").write_bytes(b"half")
    staged.rmdir()
    return snapshot


def plant_ollama(
    root: Path,
    name: str = "registry.ollama.ai/library/tiny/1b",
    *,
    digest: str | None = None,
    tokens: Sequence[str] = ("a", "b"),
) -> Path:
    """Lay a model out as Ollama does: a manifest that names blobs by digest. Returns the blob."""
    file = write_gguf(root / "staged.gguf", tokens=tokens)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    blob = root / "blobs" / f"sha256-{found}"
    blob.parent.mkdir(parents=True, exist_ok=True)
    file.rename(blob)
    layers = [
        {"mediaType": "application/vnd.ollama.image.model", "digest": digest or f"sha256:{found}", "size": 1},
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + "0" * 64, "size": 1},
    ]
    manifest = root / "manifests" / name
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return blob
