"""Adapters on a live base: chosen by each request, exact, and gone again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.contract import AdapterUse, Engine, Sampling, Tokens
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.engines.asking import LONG, Answer, answer, first_logprobs, request
from tests.integration.serving.engines.conftest import ADAPTED, Forms, Kind
from tests.property.strategies import examples

pytestmark = [pytest.mark.model, pytest.mark.parametrize("forms", ADAPTED, indirect=True, scope="session")]
PROMPT = tuple(range(1000, 1100))


def told(engine: Engine, *uses: AdapterUse | Path, prompt: tuple[int, ...] = PROMPT) -> Answer:
    """Return an answer with all that is known of it, but for what was computed before."""
    (one,) = answer(engine, request(Tokens(prompt), *uses, top_logprobs=5))
    one.cached_tokens = 0
    return one


def test_000_P8_answers_after_a_switch_equal_those_of_a_fresh_load(
    engine: Engine, forms: Forms, fresh: Callable[..., Engine]
) -> None:
    choices: list[tuple[Path, ...]] = [(forms.first,), (forms.second,), ()]
    expected = {}
    for choice in choices:
        alone = fresh()
        expected[choice] = told(alone, *choice)

    assert len({one.text for one in expected.values()}) == 3
    for place in (0, 1, 0, 2, 0, 2, 1):
        assert told(engine, *choices[place]) == expected[choices[place]]


def test_a_scale_of_nothing_is_the_base_to_the_bit(engine: Engine, forms: Forms) -> None:
    bare = told(engine)

    assert told(engine, AdapterUse(forms.first, 0)) == bare
    assert told(engine, AdapterUse(forms.first, 0), AdapterUse(forms.second, 0)) == bare


def test_a_scale_moves_the_answer_between_base_and_adapter(engine: Engine, forms: Forms) -> None:
    bare = first_logprobs(engine, PROMPT, top=49152)
    moved = []
    for scale in (0.01, 0.1, 0.5, 1):
        at = first_logprobs(engine, PROMPT, AdapterUse(forms.first, scale), top=49152)
        moved.append(max(abs(at[token] - bare[token]) for token in bare))

    assert moved == sorted(moved)
    assert 0 < moved[0] < moved[-1] / 5


def test_adapters_together_are_neither_of_them(engine: Engine, forms: Forms) -> None:
    first, second = AdapterUse(forms.first), AdapterUse(forms.second)
    both = first_logprobs(engine, PROMPT, first, second, top=49152)
    turned = first_logprobs(engine, PROMPT, second, first, top=49152)
    nearly = first_logprobs(engine, PROMPT, first, AdapterUse(forms.second, 1e-6), top=49152)

    assert max(abs(both[token] - turned[token]) for token in both) < 0.01
    alone = first_logprobs(engine, PROMPT, first, top=49152)
    assert max(abs(nearly[token] - alone[token]) for token in alone) < 0.01
    assert max(abs(both[token] - alone[token]) for token in alone) > 0.1


def test_two_halves_of_an_adapter_are_the_whole(
    engine: Engine, forms: Forms, tiny_forms: dict[Kind, Forms], tmp_path: Path
) -> None:
    from tests.integration.serving.engines.tiny import write_adapter_gguf

    # The same content is the same adapter; another template makes it another.
    copy = tmp_path / "copy"
    shutil.copytree(tiny_forms["transformers"].first, copy)
    (copy / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    if forms.kind == "llama":
        copy = write_adapter_gguf(tiny_forms["transformers"].base, copy, tmp_path / "copy.gguf")
    halves = first_logprobs(engine, PROMPT, AdapterUse(forms.first, 0.5), AdapterUse(copy, 0.5), top=49152)
    whole = first_logprobs(engine, PROMPT, forms.first, top=49152)

    assert max(abs(halves[token] - whole[token]) for token in whole) < 0.01


def test_K_V_of_one_adapter_never_serve_another(engine: Engine, forms: Forms) -> None:
    uses = [(), (AdapterUse(forms.first),), (AdapterUse(forms.first, 0.5),), (AdapterUse(forms.second),)]
    cold = [answer(engine, request(LONG, *use))[0] for use in uses]
    warm = [answer(engine, request(LONG, *use))[0] for use in uses]

    for one, other in zip(cold, warm, strict=True):
        assert other.cached_tokens > 0
        assert one.text == other.text
    assert len({one.text for one in cold}) == 4


def test_what_was_computed_before_changes_nothing(engine: Engine, forms: Forms, fresh: Callable[..., Engine]) -> None:
    other_end = (*PROMPT[:70], *PROMPT[:20])
    told(engine, forms.first)
    warm = answer(engine, request(Tokens(other_end), forms.first, top_logprobs=5))[0]
    cold = answer(fresh(), request(Tokens(other_end), forms.first, top_logprobs=5))[0]

    assert (cold.cached_tokens, warm.cached_tokens) == (0, 64)
    assert warm.logprobs == cold.logprobs


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, tiny_forms: dict[Kind, Forms]) -> dict[Kind, Path]:
    """An adapter as it is before the first step of training: its second matrices are zero."""
    from tests.integration.serving.engines.tiny import write_adapter, write_adapter_gguf

    base = tiny_forms["transformers"].base
    adapter = write_adapter(base, tmp_path_factory.mktemp("untouched") / "adapter", seed=3, strength=0)
    return {"transformers": adapter, "llama": write_adapter_gguf(base, adapter, adapter.with_suffix(".gguf"))}


@examples(12)
@given(
    prompt=st.lists(st.integers(5, 40000), min_size=1, max_size=80),
    seed=st.integers(0, 2**32 - 1),
    temperature=st.sampled_from([0.0, 0.7, 1.5]),
)
def test_I10_an_untouched_adapter_says_what_its_base_says(
    engine: Engine, forms: Forms, untouched: dict[Kind, Path], prompt: list[int], seed: int, temperature: float
) -> None:
    sampling = Sampling(temperature, 0.95, seed)
    asked = [request(Tokens(tuple(prompt)), *uses, sampling=sampling) for uses in ((), (untouched[forms.kind],))]
    bare, tuned = answer(engine, *asked)

    assert tuned.text == bare.text
    assert tuned.finish_reason == bare.finish_reason is not None


_PLANS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 90), st.integers(1, 12)), min_size=1, max_size=6
)


@examples(8)
@given(plan=_PLANS, gaps=st.lists(st.integers(0, 4), min_size=6, max_size=6))
def test_I2_an_answer_does_not_depend_on_its_neighbours(
    engine: Engine, forms: Forms, plan: list[tuple[int, int, int, int]], gaps: list[int]
) -> None:
    """Whatever is opened and computed beside it, under whichever adapters: alone it is the same to the bit."""
    choices: list[tuple[AdapterUse, ...]] = [
        (),
        (AdapterUse(forms.first),),
        (AdapterUse(forms.second),),
        (AdapterUse(forms.first, 0.5), AdapterUse(forms.second, 0.5)),
        (AdapterUse(forms.first, 0),),
    ]
    requests = [
        request(
            Tokens(tuple(range(2000 + start, 2000 + start + length))),
            *choices[choice],
            max_tokens=tokens,
            top_logprobs=2,
        )
        for choice, start, length, tokens in plan
    ]
    together: list[Answer] = []
    running = []
    for one, gap in zip(requests, gaps, strict=False):
        while len(running) >= engine.slots:
            engine.step()
            for kept, sequence in list(running):
                kept.add(sequence)
                if sequence.finish_reason:
                    sequence.close()
                    running.remove((kept, sequence))
        together.append(Answer())
        running.append((together[-1], engine.open(one)))
        for _ in range(gap):
            engine.step()
    while running:
        engine.step()
        for kept, sequence in list(running):
            kept.add(sequence)
            if sequence.finish_reason:
                sequence.close()
                running.remove((kept, sequence))
    for one, kept in zip(requests, together, strict=True):
        alone = answer(engine, one)[0]
        assert kept.text == alone.text
        assert kept.logprobs == alone.logprobs


def test_embeddings_are_of_the_adapter(engine: Engine, forms: Forms) -> None:
    bare, first, again = (engine.embed(["The sea."], uses)[0].vector for uses in ((), (AdapterUse(forms.first),), ()))

    assert np.array_equal(bare, again)
    assert not np.allclose(bare, first, atol=1e-2)


def test_an_adapter_that_is_gone_is_told_apart_from_a_broken_one(engine: Engine, forms: Forms, tmp_path: Path) -> None:
    broken = tmp_path / f"broken{forms.first.suffix}"
    if forms.first.is_dir():
        shutil.copytree(forms.first, broken)
        file = broken / "adapter_model.safetensors"
    else:
        shutil.copyfile(forms.first, broken)
        file = broken
    file.write_bytes(file.read_bytes()[:-4000])
    expected = told(engine)
    for path, code in ((tmp_path / "missing", "adapter-missing"), (broken, "model-truncated")):
        with pytest.raises(WorkbenchError) as refused:
            engine.open(request("Hello.", path))
        assert refused.value.code == code
        assert path.name in refused.value.message or file.name in refused.value.message

    assert told(engine) == expected


def test_an_adapter_of_another_base_is_refused(engine: Engine, forms: Forms, misfit: dict[Kind, Path]) -> None:
    expected = told(engine, forms.first)
    with pytest.raises(WorkbenchError) as refused:
        engine.open(request("Hello.", misfit[forms.kind]))

    assert refused.value.code == "model-unreadable"
    assert told(engine, forms.first) == expected


def test_another_adapter_at_the_same_path_is_another_adapter(engine: Engine, forms: Forms, tmp_path: Path) -> None:
    path = tmp_path / f"changing{forms.first.suffix}"
    answers = []
    for source in (forms.first, forms.second):
        if source.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(source, path)
        else:
            path.unlink(missing_ok=True)
            shutil.copyfile(source, path)
        answers.append(told(engine, path))

    assert answers == [told(engine, forms.first), told(engine, forms.second)]


def test_more_adapters_than_are_kept_are_loaded_again(
    engine: Engine, forms: Forms, many: dict[str, list[Path]]
) -> None:
    expected = [told(engine, path).text for path in many[forms.kind]]

    assert len(set(expected)) == len(expected)
    assert [told(engine, path).text for path in many[forms.kind]] == expected
