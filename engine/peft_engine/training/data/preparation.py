"""From the datasets of a config to the rows that a run goes through."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from peft_engine.datasets import Example, LoadedDataset, mix_as_configured, split_off
from peft_engine.training.data.packing import pack
from peft_engine.training.data.token_table import Rows, TokenTable
from peft_engine.training.data.tokencache import TokenCache
from peft_engine.training.data.tokens import ExampleTokeniser, TokenisedExample
from peft_engine.training.journal import Journal
from peft_schemas.config import RunConfig
from peft_schemas.errors import WorkbenchError

_BATCH_EXAMPLES = 512
_BATCH_CHARACTERS = 2**20
"""What the tokenizer gets at once: enough to occupy every core, and little enough to stop soon when asked to."""

_TELL_EVERY = 5.0
"""Seconds between two words on how far tokenising is."""


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is measured on."""

    train: Rows
    held_out: Rows
    examples: int
    """Training examples after the split and the weights."""


@dataclass(frozen=True)
class DataPreparation:
    """Splits, tokenises, mixes and packs. The same config, data and tokenizer give the same rows in the same order."""

    config: RunConfig
    tokenise: ExampleTokeniser
    vocabulary: int
    """Tokens that the model knows."""

    cache: TokenCache
    journal: Journal
    check: Callable[[], None]
    """Raises when the run shall not go on; called between batches."""

    reach: int | None = None
    """Tokens that the model reads; None where it does not say."""

    def prepare(self, datasets: Sequence[LoadedDataset], evaluation: Sequence[LoadedDataset]) -> TrainingData:
        """Return the rows.

        Args:
            datasets: Of `datasets`, in the config's order.
            evaluation: Of `evaluation.datasets`; when empty, a share of `datasets` is held out.

        Raises:
            WorkbenchError: Nothing is left to learn or to evaluate (`dataset-empty`), the template or the tokenizer
                cannot write the examples (`not-supported`, `config-invalid`), or it writes tokens that the model does
                not know (`model-unreadable`).
        """
        config, seed = self.config, self.config.training.seed
        if self.tokenise.tokenizer.eos_token_id is None:
            self.journal.warning(
                "The tokenizer has no end token, so the model will not learn from texts where to stop."
            )
        table, places = self._table([*datasets, *evaluation])
        self._check_vocabulary(table)
        share = 0.0 if evaluation else config.evaluation.split
        splits = [split_off(numbers, share, seed) for numbers in places[: len(datasets)]]
        apart = (
            mix_as_configured(places[len(datasets) :], config.evaluation.datasets, seed)
            if evaluation
            else [number for split in splits for number in split.held_out]
        )
        train = self._kept(table, mix_as_configured([s.train for s in splits], config.datasets, seed), "learn")
        held_out = self._kept(table, apart, "evaluate")
        if not held_out and (config.checkpoint.load_best or config.training.early_stopping_patience is not None):
            raise WorkbenchError(
                "dataset-empty",
                "The data holds one distinct example, so none is left to find the lowest evaluation loss on.",
                "Add examples, or name others under `evaluation.datasets`.",
            )
        if share and not held_out:
            self.journal.warning("The data holds one distinct example, so none is held out and nothing is evaluated.")
        return TrainingData(
            Rows(table, self._packed(table, train) if config.training.packing else ([number] for number in train)),
            Rows(table, ([number] for number in held_out)),
            len(train),
        )

    def _table(self, datasets: Sequence[LoadedDataset]) -> tuple[TokenTable, list[list[int]]]:
        """Return the distinct examples of each dataset in one table, and the numbers there of all its examples."""
        tables: list[TokenTable] = []
        places: list[list[int]] = []
        start = 0
        for dataset in datasets:
            distinct: dict[Example, int] = {}
            for example in dataset.examples:
                distinct.setdefault(example, start + len(distinct))
            places.append([distinct[example] for example in dataset.examples])
            tables.append(self._tokenised(list(distinct), dataset.path.name))
            start += len(distinct)
        return TokenTable.joined(tables), places

    def _tokenised(self, examples: Sequence[Example], name: str) -> TokenTable:
        key = self.cache.key(self.tokenise, examples)
        found = self.cache.get(key)
        if found is not None and len(found) == len(examples):
            self.journal.info(f"The {len(examples)} examples of {name} were tokenised before and come from the cache.")
            return found
        table = TokenTable.of(self._in_batches(examples, name))
        self.cache.put(key, table)
        return table

    def _in_batches(self, examples: Sequence[Example], name: str) -> Iterator[TokenisedExample | None]:
        done, told = 0, time.monotonic()
        for batch in _batches(examples):
            self.check()
            yield from self.tokenise(batch)
            done += len(batch)
            if time.monotonic() - told > _TELL_EVERY:
                told = time.monotonic()
                self.journal.enter("preparing", f"tokenising {name}: {done} of {len(examples)} examples")

    def _check_vocabulary(self, table: TokenTable) -> None:
        highest = int(table.ids.max(initial=0))
        if highest >= self.vocabulary:
            raise WorkbenchError(
                "model-unreadable",
                f"The tokenizer writes the token {highest}, but the model knows only {self.vocabulary} tokens.",
                "Get the model again with the tokenizer that it was made with.",
            )

    def _kept(self, table: TokenTable, wanted: Sequence[int], purpose: str) -> list[int]:
        """Return the examples in which something is left to learn, and tell how many are not or not whole."""
        longest = self.tokenise.max_length
        by_model = longest == self.reach
        limit = (
            f"the {longest} tokens that the model reads" if by_model else f"`training.max_length` of {longest} tokens"
        )
        lengths = table.lengths
        kept = [number for number in wanted if lengths[number]]
        if wanted and not kept:
            raise WorkbenchError(
                "dataset-empty",
                f"No example has anything to {purpose} within {limit}.",
                "Shorten the prompts, or take a base that reads more."
                if by_model
                else "Raise `training.max_length`, or shorten the prompts.",
            )
        if lost := len(wanted) - len(kept):
            what = "is left out: its prompt fills" if lost == 1 else "are left out: their prompts fill"
            self.journal.warning(f"{lost} of {len(wanted)} examples {what} {limit}.")
        if cut := int(np.count_nonzero(table.cut[kept])):
            what, not_learned = ("is", "its end is") if cut == 1 else ("are", "their ends are")
            self.journal.warning(
                f"{cut} of {len(wanted)} examples {what} cut at {limit}, so {not_learned} not learned."
            )
        return kept

    def _packed(self, table: TokenTable, train: Sequence[int]) -> Iterator[list[int]]:
        lengths = table.lengths[train].tolist()
        return ([train[place] for place in row] for row in pack(lengths, self.tokenise.max_length))


def _batches(examples: Sequence[Example]) -> Iterator[list[Example]]:
    """Cut examples into batches that are limited by number and by characters."""
    batch: list[Example] = []
    characters = 0
    for example in examples:
        batch.append(example)
        characters += example.characters
        if len(batch) == _BATCH_EXAMPLES or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
