"""Tokenising a large dataset: our data path against TRL's, and against a plain loop, on the same file in one run.

Each contestant is a process of its own, so that its memory is its own; the processor time of all its threads is told
beside the seconds, since other work on the machine changes only these.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MAX_LENGTH = 1024


def main() -> None:
    """Make the data, let each contestant tokenise it, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="a folder with SmolLM2-135M-Instruct's tokenizer")
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("--peer-python", help="a Python that has TRL; without it, only the plain loop is the peer")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measured(CONTESTANTS[arguments.child], arguments.base, arguments.data)))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "train.jsonl"
        write_data(data, arguments.examples)
        print(f"{arguments.examples} conversations, {data.stat().st_size / 2**20:.0f} MiB of jsonl")
        print(f"{'':12}{'seconds':>10}{'processor':>11}{'memory MiB':>12}{'tokens':>12}")
        contestants = ["ours", "ours again", "plain", *(["trl"] if arguments.peer_python else [])]
        for name in contestants:
            python = arguments.peer_python if name == "trl" else sys.executable
            found = run_child(python, name, arguments.base, data, Path(folder) / "home")
            print(
                f"{name:12}{found['seconds']:10.1f}{found['processor']:11.1f}{found['memory']:12.0f}{found['tokens']:12}"
            )


def write_data(path: Path, count: int) -> None:
    """Write conversations of one question and one answer, whose lengths vary as people's do."""
    chance = random.Random(0)
    words = ["".join(chance.choices("etaoinshrdlucmfw", k=max(2, round(chance.gauss(5, 2))))) for _ in range(20_000)]
    with path.open("w") as file:
        for _ in range(count):
            lengths = [min(400, max(3, round(chance.lognormvariate(mean, 0.7)))) for mean in (3.0, 4.0)]
            question, answer = (" ".join(chance.choices(words, k=length)) for length in lengths)
            turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            file.write(json.dumps({"messages": turns}) + "\n")


def run_child(python: str, name: str, base: Path, data: Path, home: Path) -> dict[str, Any]:
    """Let one contestant work in a process of its own."""
    command = [python, __file__, "--child", name, "--base", str(base), "--data", str(data)]
    env = {**os.environ, "PEFTW_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(home / "datasets")}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise SystemExit(f"{name} failed:\n{ended.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return result


def measured(contestant: Any, base: Path, data: Path) -> dict[str, float]:
    """Return what a contestant took beyond its imports and its tokenizer."""
    work = contestant(base)
    floor = memory()
    began, processor = time.perf_counter(), time.process_time()
    tokens = work(data)
    return {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - processor,
        "memory": memory() - floor,
        "tokens": tokens,
    }


def memory() -> float:
    """Return the most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ours(base: Path) -> Any:
    """Read, tokenise and keep as a run of ours does."""
    from transformers import AutoTokenizer

    from peft_engine.datasets import load_dataset
    from peft_engine.home import token_cache_dir
    from peft_engine.training.data.preparation import DataPreparation
    from peft_engine.training.data.tokencache import TokenCache
    from peft_engine.training.data.tokens import ExampleTokeniser
    from peft_schemas.config import RunConfig

    class Quiet:
        def __getattr__(self, _: str) -> Any:
            return lambda *_: None

    tokenise = ExampleTokeniser(AutoTokenizer.from_pretrained(base), max_length=MAX_LENGTH, completion_only=True)

    def work(data: Path) -> int:
        config = RunConfig.model_validate(
            {"version": 1, "model": {"base": str(base)}, "datasets": [{"path": str(data)}]}
        )
        loaded = load_dataset(config.datasets[0], data.parent)
        preparation = DataPreparation(
            config,
            tokenise,
            10**6,
            TokenCache(token_cache_dir()),
            Quiet(),
            lambda: None,  # type: ignore[arg-type]
        )
        rows = preparation.prepare([loaded], []).train
        return sum(len(example.ids) for row in rows for example in row)

    return work


def plain(base: Path) -> Any:
    """Tokenise one example after another into lists, the mask by the length of the prompt."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)

    def work(data: Path) -> int:
        kept = []
        with data.open() as file:
            for line in file:
                turns = json.loads(line)["messages"]
                prompt = tokenizer.apply_chat_template(turns[:-1], add_generation_prompt=True)["input_ids"]
                ids = tokenizer.apply_chat_template(turns)["input_ids"]
                labels = [-100] * len(prompt) + ids[len(prompt) :]
                kept.append((ids[:MAX_LENGTH], labels[:MAX_LENGTH]))
        return sum(len(ids) for ids, _ in kept)

    return work


def trl(base: Path) -> Any:
    """Have TRL's SFTTrainer prepare the dataset, with a model that is too small to matter."""
    from datasets import Dataset
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
        )
    )

    def work(data: Path) -> int:
        # Prompt and completion apart, which is how TRL learns the answer alone without a template of its own.
        turns = [json.loads(line)["messages"] for line in data.open()]
        rows = Dataset.from_dict({"prompt": [t[:-1] for t in turns], "completion": [t[-1:] for t in turns]})
        del turns
        with tempfile.TemporaryDirectory() as folder:
            settings = SFTConfig(
                output_dir=folder,
                max_length=MAX_LENGTH,
                completion_only_loss=True,
                use_cpu=True,
                bf16=False,
                report_to=[],
            )
            trainer = SFTTrainer(model, settings, train_dataset=rows, processing_class=tokenizer)
        return sum(map(len, trainer.train_dataset["input_ids"]))

    return work


CONTESTANTS = {"ours": ours, "ours again": ours, "plain": plain, "trl": trl}

if __name__ == "__main__":
    main()
