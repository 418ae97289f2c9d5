"""Training data: reading files of any accepted kind and shape into one form. Light: no torch, no numpy."""

from peft_engine.datasets.examples import Conversation, Example, Message, Text
from peft_engine.datasets.load import LoadedDataset, load_dataset
from peft_engine.datasets.mix import Split, mix, mix_as_configured, split_off

__all__ = [
    "Conversation",
    "Example",
    "LoadedDataset",
    "Message",
    "Split",
    "Text",
    "load_dataset",
    "mix",
    "mix_as_configured",
    "split_off",
]
