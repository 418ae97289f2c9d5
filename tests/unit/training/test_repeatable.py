"""What a run does before its first product, so that its repetition computes the same."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from peft_engine.training.session import _make_repeatable


class Calls(TorchDispatchMode):
    """Notes how many numbers each cosine had."""

    def __init__(self) -> None:
        super().__init__()
        self.cosines: list[int] = []

    def __torch_dispatch__(self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.cos.default:
            self.cosines.append(args[0].numel())
        return func(*args, **(kwargs or {}))


def test_one_thread_makes_the_first_call_of_mkl() -> None:
    """Several threads that made it got less exact values now and then, too seldom to wait for: see `numerics`."""
    with Calls() as calls:
        _make_repeatable(seed=1)
    assert calls.cosines == [1]
