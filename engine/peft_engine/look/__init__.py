"""Looking at what a config names: questions and their answers, each with the state of the files that it rests on.

The answers are made in a process of their own (`python -m peft_engine.look`): reading a tokenizer or a dataset takes
memory and time that an editor shall not lend, and the packages that matter are those of the interpreter that trains.
"""

from peft_engine.look.questions import (
    Answer,
    AskDataset,
    AskHardware,
    AskModel,
    AskTemplate,
    AskTokens,
    Question,
    TokenLengths,
)

__all__ = [
    "Answer",
    "AskDataset",
    "AskHardware",
    "AskModel",
    "AskTemplate",
    "AskTokens",
    "Question",
    "TokenLengths",
]
