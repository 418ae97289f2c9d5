"""Random models of the families that are converted, with real tokenizers, small enough to convert in a second."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedTokenizerFast

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_LLAMA_3 = "|".join(
    [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
_LINES = [
    "The capital of France is Paris, and the capital of Spain is Madrid.",
    "def add(a, b):\n    return a + b\n",
    "In 2024 there were 1234567 entries, weren't there? They'll say it's fine!",
    "Übermäßig große Änderungen – ça va? 東京は日本の首都です。 Привет 🙂",
] * 4
CUTS = {
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "smollm": pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
    "llama-bpe": pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_LLAMA_3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    ),
}


def write_tokenizer(folder: Path, cut: str = "smollm") -> int:
    """Write a byte-level tokenizer that was trained on a few lines, and return how many tokens it has."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = CUTS[cut]
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(_LINES, trainer)
    return _saved(raw, folder)


def write_piece_tokenizer(folder: Path) -> int:
    """Write a tokenizer as those of SentencePiece are kept: a mark for a space, and bytes where no piece is known."""
    raw = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", *SPECIAL, *bytes_], show_progress=False)
    raw.train_from_iterator(_LINES, trainer)
    raw.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    # The trainer makes special tokens of them, which those of SentencePiece are not.
    parts = json.loads(raw.to_str())
    parts["added_tokens"] = [token for token in parts["added_tokens"] if token["content"] not in bytes_]
    return _saved(Tokenizer.from_str(json.dumps(parts)), folder)


def _saved(raw: Tokenizer, folder: Path) -> int:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token=SPECIAL[1], eos_token=SPECIAL[2])
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def write_small_model(
    folder: Path, model_type: str = "llama", *, cut: str = "smollm", pieces: bool = False, **changes: Any
) -> Path:
    """Write a model of two layers whose weights are large enough for its logits to differ from word to word."""
    folder.mkdir(parents=True, exist_ok=True)
    size = write_piece_tokenizer(folder) if pieces else write_tokenizer(folder, cut)
    settings = {
        "vocab_size": size,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "max_position_embeddings": 256,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": None,
        "initializer_range": 0.1,
    }
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[model_type](**settings | changes), dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms and biases, which begin as constants
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    return folder
