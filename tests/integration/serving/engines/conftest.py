"""Every engine on the same random weights, each in its own form, with the same adapters."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from peft_engine.inference.contract import Engine

Kind = Literal["llama", "transformers", "onnx", "mlx"]
ADAPTED: tuple[Kind, ...] = ("llama", "transformers")
"""Engines that take adapters."""

KINDS: tuple[Kind, ...] = (*ADAPTED, "onnx", "mlx")


@dataclass(frozen=True)
class Forms:
    """A base and two adapters as one engine loads them."""

    kind: Kind
    base: Path
    first: Path
    second: Path

    @property
    def taken(self) -> tuple[Path, ...]:
        """The adapters, where the engine takes any."""
        return (self.first, self.second) if self.kind in ADAPTED else ()

    def load(self, *, slots: int = 4, context_length: int | None = None) -> Engine:
        """Return a new engine."""
        from tests.integration.serving.engines.tiny import CONTEXT

        length = context_length or CONTEXT
        if self.kind == "transformers":
            from peft_engine.inference.transformers import TransformersEngine

            return TransformersEngine(self.base, context_length=length, threads=1, slots=slots)
        if self.kind == "onnx":
            from peft_engine.inference.onnx import OnnxEngine

            return OnnxEngine(self.base, context_length=length, threads=1, slots=slots)
        if self.kind == "mlx":
            from peft_engine.inference.mlx import MlxEngine

            return MlxEngine(self.base, context_length=length, slots=slots)
        from peft_engine.inference.llama import LlamaEngine

        return LlamaEngine(self.base, context_length=length, threads=1, slots=slots, kept_bytes=10**9)


@pytest.fixture(scope="session")
def tiny_forms(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> dict[Kind, Forms]:
    """The random weights in every form."""
    from tests.integration.serving.engines.tiny import kept_onnx, write_base, write_gguf, write_mlx

    folder = tmp_path_factory.mktemp("tiny")
    base = folder / "tiny"
    write_base(base, model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct")
    write_gguf(base, folder / "tiny.gguf")
    adapters = _adapters(folder, base, (1, 2))
    return {
        "transformers": Forms("transformers", base, *adapters["transformers"]),
        "llama": Forms("llama", folder / "tiny.gguf", *adapters["llama"]),
        "onnx": Forms("onnx", kept_onnx(base, model_cache), *adapters["transformers"]),
        "mlx": Forms("mlx", write_mlx(base, folder / "mlx"), *adapters["transformers"]),
    }


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory, tiny_forms: dict[Kind, Forms]) -> dict[Kind, list[Path]]:
    """More adapters than an engine keeps."""
    return _adapters(tmp_path_factory.mktemp("many"), tiny_forms["transformers"].base, range(10, 20))


@pytest.fixture(scope="session")
def misfit(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> dict[Kind, Path]:
    """An adapter of the real model, whose layers are wider."""
    real = model_cache / "HuggingFaceTB--SmolLM2-135M-Instruct"
    found = _adapters(tmp_path_factory.mktemp("misfit"), real, [1], target_modules=["q_proj"])
    return {kind: paths[0] for kind, paths in found.items()}


def _adapters(folder: Path, base: Path, seeds: Iterable[int], **settings: Any) -> dict[Kind, list[Path]]:
    from tests.integration.serving.engines.tiny import write_adapter, write_adapter_gguf

    peft = [write_adapter(base, folder / f"adapter{seed}", seed=seed, **settings) for seed in seeds]
    return {
        "transformers": peft,
        "llama": [write_adapter_gguf(base, adapter, adapter.with_suffix(".gguf")) for adapter in peft],
    }


@pytest.fixture(scope="session", params=KINDS)
def forms(request: pytest.FixtureRequest, tiny_forms: dict[Kind, Forms]) -> Forms:
    """The random weights as each engine in turn loads them."""
    return tiny_forms[request.param]


@pytest.fixture(scope="session")
def engine(forms: Forms) -> Iterator[Engine]:
    """An engine that tests share, which they must be able to."""
    engine = forms.load()
    yield engine
    engine.unload()


@pytest.fixture
def fresh(forms: Forms) -> Iterator[Callable[..., Engine]]:
    """Load engines of this test's own."""
    loaded: list[Engine] = []

    def load(**options: int) -> Engine:
        loaded.append(forms.load(**options))
        return loaded[-1]

    yield load
    for engine in loaded:
        engine.unload()
