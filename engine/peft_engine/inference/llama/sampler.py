"""Choosing the next token."""

from typing import Any

from peft_engine.inference.contract import Sampling
from peft_engine.inference.llama.native import lib


class Sampler:
    """A chain of llama.cpp's samplers for one answer."""

    def __init__(self, sampling: Sampling) -> None:
        """Build the chain."""
        parameters = lib.llama_sampler_chain_default_params()
        parameters.no_perf = True
        self._chain = lib.llama_sampler_chain_init(parameters)
        for link in self._links(sampling):
            lib.llama_sampler_chain_add(self._chain, link)

    def next_token(self, context: Any) -> int:
        """Choose from the logits of the last decoded token."""
        return int(lib.llama_sampler_sample(self._chain, context, -1))

    def close(self) -> None:
        """Free the chain."""
        lib.llama_sampler_free(self._chain)

    @staticmethod
    def _links(sampling: Sampling) -> list[Any]:
        if sampling.temperature == 0:
            return [lib.llama_sampler_init_greedy()]
        links = [lib.llama_sampler_init_temp(sampling.temperature)]
        if sampling.top_p < 1:
            links.append(lib.llama_sampler_init_top_p(sampling.top_p, 1))
        # The largest seed means a random one to llama.cpp.
        links.append(lib.llama_sampler_init_dist(sampling.seed % lib.LLAMA_DEFAULT_SEED))
        return links
