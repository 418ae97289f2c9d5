"""One training run by TRL's SFTTrainer, in a process of its own: reads a task, prints what it measured."""

import json
import sys
from pathlib import Path
from typing import Any

import clock
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, set_seed
from trl import SFTConfig, SFTTrainer


class Recording(SFTTrainer):  # type: ignore[misc]  # TRL is not typed
    """Keeps each step's loss as it is, where the log rounds it."""

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Do a step and keep its loss."""
        loss = super().training_step(*args, **kwargs)
        self.losses.append(loss.detach())
        return loss


def load(task: dict[str, Any]) -> Any:
    """Return the model, whose adapter begins with the numbers that ours begins with: the same call, the same seed."""
    method = task["method"]
    set_seed(task["seed"])
    if method != "qlora":
        model = AutoModelForCausalLM.from_pretrained(task["base"], dtype=torch.float32)
    else:
        packing = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16 if task["settings"].get("bf16", True) else torch.float32,
        )
        model = AutoModelForCausalLM.from_pretrained(
            task["base"], dtype=torch.float32, quantization_config=packing, device_map={"": "cpu"}
        )
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        if not task["settings"].get("bf16", True):
            # TRL holds the adapter of a packed base as bfloat16, whatever is computed in, unless it does not know.
            model.is_loaded_in_4bit = False
    if method == "full":
        return model
    adapter = LoraConfig(
        r=task["r"],
        lora_alpha=task["alpha"],
        lora_dropout=0.0,
        target_modules="all-linear",
        use_rslora=method == "rslora",
        use_dora=method == "dora",
        init_lora_weights="pissa_niter_16" if method == "pissa" else True,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, adapter)


def main(task: dict[str, Any]) -> dict[str, Any]:
    """Train and return what was measured."""
    floor = clock.start()
    trainer = Recording(
        model=load(task),
        args=SFTConfig(
            output_dir=task["folder"],
            max_steps=task["steps"],
            per_device_train_batch_size=task["batch_size"],
            learning_rate=task["learning_rate"],
            warmup_steps=task["warmup_steps"],
            seed=task["seed"],
            data_seed=task["seed"],
            completion_only_loss=True,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            **{"max_length": task["max_length"], **task["settings"]},
        ),
        train_dataset=Dataset.from_list(task["examples"]),
        processing_class=AutoTokenizer.from_pretrained(task["base"]),
    )
    trainer.losses = []
    trainer.train()
    tokens = [int(entry["num_tokens"]) for entry in trainer.state.log_history if "num_tokens" in entry]
    return {
        **clock.noted(floor),
        "losses": [float(loss) for loss in trainer.losses],
        "tokens": [after - before for before, after in zip([0, *tokens], tokens, strict=False)],
    }


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
