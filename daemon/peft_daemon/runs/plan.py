"""A dry run: check the config, find the base, read and count the data. Starts nothing and leaves nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path

from peft_daemon.language.binding import bind
from peft_daemon.language.check import check_file
from peft_daemon.language.figures import estimate
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.world.gather import gather
from peft_daemon.runs.launch import ConfigRefused
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from peft_engine.datasets import Example, load_dataset, mix_as_configured, split_off
from peft_engine.models import resolve_base
from peft_schemas.config import RunConfig
from peft_schemas.plan import PlannedDataset, RunPlan


def plan(path: Path, cancelled: Callable[[], bool] = lambda: False) -> RunPlan:
    """Return what a run of a config would do.

    Raises:
        Cancelled: `cancelled`, which is asked at each record of the data, said so.
        ConfigRefused: The file has errors.
        WorkbenchError: The file, its base model or its data is missing or cannot be used.
    """
    checked = check_file(path)
    if checked.resolved is None:
        raise ConfigRefused(path, checked)
    config, folder = checked.resolved.config, path.absolute().parent
    base = resolve_base(config.model.base, config.model.revision, folder=folder)
    datasets = [load_dataset(dataset, folder, cancelled) for dataset in config.datasets]
    apart = [load_dataset(dataset, folder, cancelled) for dataset in config.evaluation.datasets]
    train, held_out = _counts(config, [d.examples for d in datasets], [d.examples for d in apart])
    document = parse(SourceText(checked.text))
    place = base.hf_dir or base.gguf
    return RunPlan(
        name=str(config.name),
        base=config.model.base,
        base_path=None if place is None else str(place),
        datasets=[
            PlannedDataset(path=str(dataset.path), format=dataset.format, examples=len(dataset.examples))
            for dataset in (*datasets, *apart)
        ],
        training_examples=train,
        held_out_examples=held_out,
        figures=estimate(Subject(document, bind(document), gather(document, path))),
    )


def _counts(
    config: RunConfig, train: Sequence[Sequence[Example]], apart: Sequence[Sequence[Example]]
) -> tuple[int, int]:
    """Return how many examples are trained on in an epoch, and how many are measured on."""
    seed = config.training.seed
    splits = [split_off(examples, 0.0 if apart else config.evaluation.split, seed) for examples in train]
    mixed = len(mix_as_configured([split.train for split in splits], config.datasets, seed))
    if apart:
        return mixed, len(mix_as_configured(apart, config.evaluation.datasets, seed))
    return mixed, sum(len(split.held_out) for split in splits)
