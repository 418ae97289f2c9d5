import pytest

from peft_engine.backends.choose import backend_of, choose_backend, describe_architecture
from peft_engine.backends.record import add
from peft_engine.rundir import create_run_directory
from peft_schemas.errors import WorkbenchError
from tests.unit.backends.conftest import install_unsloth


def test_the_one_that_is_asked_for_is_taken(config, base, unsloth_installed):
    for asked in ("transformers", "unsloth"):
        choice = choose_backend(config(compute={"backend": asked}), base)
        assert (choice.backend, choice.reason) == (asked, "as the config asks")


def test_F1_without_unsloth_transformers_trains_and_nothing_speaks_of_unsloth(config, base):
    choice = choose_backend(config(), base)
    assert choice.backend == "transformers"
    assert "unsloth" not in choice.model_dump_json().lower()


def test_unsloth_that_is_not_installed_is_refused_with_a_way_out(config, base):
    with pytest.raises(WorkbenchError) as refused:
        choose_backend(config(compute={"backend": "unsloth"}), base)
    assert refused.value.code == "extra-missing"
    assert "PEFTW_PYTHON" in refused.value.remedy


def test_what_unsloth_cannot_do_is_refused_where_it_is_asked_for_and_avoided_where_it_is_not(
    config, base, unsloth_installed
):
    with pytest.raises(WorkbenchError, match=r"`method.type: dora`") as refused:
        choose_backend(config(compute={"backend": "unsloth"}, method={"type": "dora"}), base)
    assert refused.value.code == "not-supported"
    assert "`lora`" in refused.value.remedy
    avoided = choose_backend(config(method={"type": "dora"}), base)
    assert avoided.backend == "transformers"
    assert "dora" in avoided.reason


def test_unsloth_is_not_taken_by_itself_before_it_was_measured(config, base, unsloth_installed):
    choice = choose_backend(config(), base)
    assert choice.backend == "transformers"
    assert "peftw bench --backends" in choice.reason


def test_F1_a_measurement_that_shows_unsloth_faster_has_it_taken_and_is_named(
    config, base, unsloth_installed, measured
):
    add(measured(choose_backend(config(), base)))
    choice = choose_backend(config(), base)
    assert choice.backend == "unsloth"
    assert "1.50 times as fast" in choice.reason


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"speed": (100.0, 90.0)}, "0.90 times as fast"),
        ({"speed": (100.0, 105.0)}, "1.05 times as fast"),
        ({"speed": (100.0, 0.0)}, "did not train"),
        ({"loss": (2.0, 2.5)}, "25% off"),
    ],
    ids=["slower", "hardly faster", "failed", "another loss"],
)
def test_a_measurement_that_does_not_speak_for_unsloth_is_named_too(
    config, base, unsloth_installed, measured, figures, reason
):
    add(measured(choose_backend(config(), base), **figures))
    choice = choose_backend(config(), base)
    assert choice.backend == "transformers"
    assert reason in choice.reason


def test_measurements_that_overlap_speak_for_nothing(config, base, unsloth_installed, measured):
    one = measured(choose_backend(config(), base), speed=(100.0, 150.0))
    plain, other = one.backends
    slow = other.runs[0].model_copy(update={"tokens_per_second": 90.0})
    add(one.model_copy(update={"backends": [plain, other.model_copy(update={"runs": [*other.runs, slow]})]}))
    choice = choose_backend(config(), base)
    assert choice.backend == "transformers"
    assert "differ too much" in choice.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": {"torch": "1.0"}},
        {"device": "another"},
        {"architecture": "llama, 16 layers, width 2048"},
        {"method": "full"},
        {"quantization": "nf4"},
    ],
    ids=["versions", "device", "model", "method", "quantization"],
)
def test_a_measurement_of_something_else_says_nothing(config, base, unsloth_installed, measured, changes):
    add(measured(choose_backend(config(), base), **changes))
    assert choose_backend(config(), base).backend == "transformers"


def test_a_run_stays_with_the_backend_that_it_began_with(config, base, unsloth_installed, measured):
    run = create_run_directory("demo")
    began = backend_of(run, config(), base)
    assert began.backend == "transformers"
    add(measured(began))
    assert choose_backend(config(), base).backend == "unsloth"
    assert backend_of(run, config(), base) == began


def test_a_run_that_began_with_unsloth_is_refused_where_there_is_none(config, base):
    run = create_run_directory("demo")
    with pytest.MonkeyPatch.context() as patch:
        install_unsloth(base.parent, patch)
        assert backend_of(run, config(compute={"backend": "unsloth"}), base).backend == "unsloth"
    with pytest.raises(WorkbenchError) as refused:
        backend_of(run, config(), base)
    assert refused.value.code == "extra-missing"


def test_an_architecture_is_named_by_kind_and_size(base, tmp_path):
    assert describe_architecture(base) == "llama, 30 layers, width 576"
    (base / "config.json").write_text('{"text_config": {"model_type": "gemma3", "num_hidden_layers": 2}}')
    assert describe_architecture(base) == "gemma3, 2 layers, width ?"
    assert describe_architecture(tmp_path / "missing") == "unknown"
