"""What a step of the optimizer takes beside the weights, the gradients and its two moments: nothing."""

import pytest
import torch
from transformers import Trainer

from peft_engine.training.arguments import training_arguments
from peft_schemas.config import RunConfig


@pytest.fixture
def step(tmp_path):
    """A step of the optimizer that the default config names, over one weight of 4 MiB that has a gradient."""
    config = RunConfig.model_validate(
        {"version": 1, "name": "x", "model": {"base": "x"}, "method": {"type": "full"}, "datasets": [{"path": "x"}]}
    )
    arguments = training_arguments(config, torch.device("cpu"), "float32", tmp_path, evaluates=False, processes=1)
    kind, settings = Trainer.get_optimizer_cls_and_kwargs(arguments)
    weight = torch.nn.Parameter(torch.ones(1024, 1024))
    weight.grad = torch.ones_like(weight)
    optimizer = kind([weight], **settings)
    # The first makes the moments.
    optimizer.step()
    return optimizer.step


def test_F7_the_optimizer_steps_without_copies_of_the_weights(step):
    with torch.profiler.profile(profile_memory=True) as profile:
        step()
    assert max(event.self_cpu_memory_usage for event in profile.key_averages()) < 1024
