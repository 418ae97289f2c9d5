"""K/V of sequences, and what of them can be used again.

Two rules make an answer independent of what was computed before it, to the bit: K/V belong to the adapters and scales
they were made under, and only whole blocks of a prompt are used again, because those a cold run makes in the same way.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import takewhile

import torch

BLOCK = 64
"""Prompt tokens in one step. A cancel waits for one of them."""


class KeyValues:
    """Keys and values of one sequence in every layer."""

    def __init__(self, capacity: int) -> None:
        """Start empty.

        Args:
            capacity: The most tokens that it will hold. Memory is taken as they come.
        """
        self.length = 0
        """Tokens held."""

        self._capacity = capacity
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    @property
    def memory_bytes(self) -> int:
        """What the tokens held take."""
        per_token = sum(
            tensor[:, :, :1].numel() * tensor.element_size() for pair in self._layers.values() for tensor in pair
        )
        return per_token * self.length

    def extend(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Append to a layer, [1, heads, tokens, size] each, and return all of it. `length` counts when all layers have.

        A view of the memory is returned: it holds until the next call.
        """
        if layer not in self._layers:
            self._layers[layer] = self._room_for(keys), self._room_for(values)
        end = self.length + keys.shape[2]
        whole = self._layers[layer]
        for room, new in zip(whole, (keys, values), strict=True):
            room[:, :, self.length : end] = new
        return whole[0][:, :, :end], whole[1][:, :, :end]

    def copy(self, length: int, *, capacity: int) -> "KeyValues":
        """Return the first tokens in a memory of their own."""
        copied = KeyValues(capacity)
        for layer, (keys, values) in self._layers.items():
            copied.extend(layer, keys[:, :, :length], values[:, :, :length])
        copied.length = length
        return copied

    def _room_for(self, part: torch.Tensor) -> torch.Tensor:
        return part.new_empty(1, part.shape[1], self._capacity, part.shape[3])


@dataclass(frozen=True)
class _Kept:
    key: Hashable
    tokens: tuple[int, ...]
    memory: KeyValues


class Prefixes:
    """Prompts that were computed lately."""

    def __init__(self, *, room: int) -> None:
        """Start with none.

        Args:
            room: The most tokens whose K/V are kept. Those that were not used for longest go first.
        """
        self._room = room
        self._kept: list[_Kept] = []

    @property
    def memory_bytes(self) -> int:
        """What the kept K/V take."""
        return sum(kept.memory.memory_bytes for kept in self._kept)

    def begin(self, key: Hashable, prompt: tuple[int, ...], *, capacity: int) -> KeyValues:
        """Return K/V for a prompt, with as many of its first blocks as were computed before.

        Args:
            key: What K/V depend on beside the tokens.
            prompt: The whole prompt. Its last token is always left to compute: its logits choose the first word.
            capacity: The most tokens that prompt and answer may have.
        """
        best, length = None, 0
        for kept in self._kept:
            if kept.key == key and (common := _common_blocks(kept.tokens, prompt[:-1])) > length:
                best, length = kept, common
        if best is None:
            return KeyValues(capacity)
        self._kept.remove(best)
        self._kept.append(best)
        return best.memory.copy(length, capacity=capacity)

    def keep(self, key: Hashable, prompt: tuple[int, ...], memory: KeyValues) -> None:
        """Keep the whole blocks of a computed prompt in place of what they contain."""
        tokens = prompt[: len(prompt) - len(prompt) % BLOCK]
        if not tokens or any(kept.key == key and kept.tokens[: len(tokens)] == tokens for kept in self._kept):
            return
        self._kept = [kept for kept in self._kept if kept.key != key or tokens[: len(kept.tokens)] != kept.tokens]
        self._kept.append(_Kept(key, tokens, memory.copy(len(tokens), capacity=len(tokens))))
        while sum(len(kept.tokens) for kept in self._kept) > self._room:
            del self._kept[0]

    def forget(self, size: int) -> None:
        """Free so many bytes, or all there are."""
        wanted = self.memory_bytes - size
        while self._kept and self.memory_bytes > wanted:
            del self._kept[0]


def _common_blocks(tokens: tuple[int, ...], prompt: tuple[int, ...]) -> int:
    """Return how many first tokens two prompts share, in whole blocks."""
    pairs = zip(tokens, prompt, strict=False)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return common - common % BLOCK
