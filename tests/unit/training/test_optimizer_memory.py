"""What a step of the optimizer takes beside the weights, the gradients and its two moments: nothing."""

import pytest
import torch
from transformers import Trainer

from peft_engine.training.arguments import training_arguments
from peft_engine.training.fused.adamw import StretchedAdamW
from peft_engine.training.fused.matrix import LearnedMatrices
from peft_schemas.config import RunConfig


@pytest.fixture(params=["its own", "held"])
def step(tmp_path, request):
    """A step of the optimizer that the default config names, over one weight of 16 MiB that has a gradient."""
    config = RunConfig.model_validate(
        {"version": 1, "name": "x", "model": {"base": "x"}, "method": {"type": "full"}, "datasets": [{"path": "x"}]}
    )
    arguments = training_arguments(config, torch.device("cpu"), "float32", tmp_path, evaluates=False, processes=1)
    kind, settings = Trainer.get_optimizer_cls_and_kwargs(arguments)
    assert issubclass(StretchedAdamW, kind)
    weight, matrices = torch.nn.Parameter(torch.ones(2048, 2048)), LearnedMatrices()
    matrix = matrices.of(weight, torch.bfloat16)
    optimizer = StretchedAdamW([weight], matrices=matrices, **settings)
    if request.param == "held":
        matrix.add(torch.ones(2048, 2048, dtype=torch.bfloat16))
    else:
        weight.grad = torch.ones_like(weight)
    return optimizer.step


def test_F7_the_optimizer_steps_without_copies_of_the_weights(step):
    with torch.profiler.profile(profile_memory=True) as profile:
        step()
    assert max(event.self_cpu_memory_usage for event in profile.key_averages()) < 1024
