"""From what is asked to tokens."""

import re
from collections.abc import Sequence

from peft_engine.inference.contract import Capability, Conversation, Infill, Prompt, Text
from peft_engine.inference.llama.adapters import AdapterKey, Adapters
from peft_engine.inference.llama.weights import Weights
from peft_engine.inference.template_conversation import render_conversation
from peft_engine.inference.template_process import TemplateProcess
from peft_schemas.errors import WorkbenchError


class Prompts:
    """Tokenises prompts for one base."""

    def __init__(self, name: str, weights: Weights, adapters: Adapters) -> None:
        """Start the process that renders templates.

        Args:
            name: What people call the base, for messages.
            weights: The base.
            adapters: Which may have chat templates of their own.
        """
        self._name = name
        self._weights = weights
        self._adapters = adapters
        self._templates = TemplateProcess()
        self._templates.start()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the base can do beside completing text."""
        found: set[Capability] = {"embeddings"}
        if template := self._weights.chat_template(tools=True):
            found.add("chat")
            if re.search(r"\btools\b", template):
                found.add("tools")
        if self._weights.fill is not None:
            found.add("infill")
        return frozenset(found)

    def tokens(self, prompt: Prompt, key: AdapterKey) -> list[int]:
        """Return a prompt in tokens, at least one.

        Args:
            prompt: What is asked.
            key: The adapters that answer; a conversation is written as they learned it.

        Raises:
            WorkbenchError: The base cannot do what is asked, or a token does not exist (`not-supported`).
        """
        if isinstance(prompt, Conversation):
            rendered = render_conversation(
                self._templates,
                prompt,
                template=self._adapters.chat_template(key) or self._weights.chat_template(tools=bool(prompt.tools)),
                bos_text=self._weights.bos_text,
                eos_text=self._weights.eos_text,
                model=self._name,
            )
            tokens = self._weights.tokenize(rendered)
        elif isinstance(prompt, Text):
            tokens = self._weights.tokenize(prompt.text)
        elif isinstance(prompt, Infill):
            tokens = self._infill(prompt)
        else:
            tokens = self.given(prompt.ids)
        return tokens or [self._weights.first_token]

    def given(self, ids: Sequence[int]) -> list[int]:
        """Return tokens that a client made.

        Raises:
            WorkbenchError: One of them does not exist (`not-supported`).
        """
        size = self._weights.vocabulary_size
        for token in ids:
            if not 0 <= token < size:
                raise WorkbenchError(
                    "not-supported",
                    f"The prompt has the token {token}, but {self._name} has tokens from 0 to {size - 1}.",
                    "Send tokens of this model's own tokenizer, or the text itself.",
                )
        return list(ids)

    def close(self) -> None:
        """End the process."""
        self._templates.close()

    def _infill(self, prompt: Infill) -> list[int]:
        if self._weights.fill is None:
            raise WorkbenchError(
                "not-supported",
                f"{self._name} was not trained to fill in the middle: its vocabulary has no tokens for it.",
                "Leave the suffix out, or choose a code model that can, such as Qwen2.5-Coder.",
            )
        return self._weights.tokenize_infill(prompt.prefix, prompt.suffix, self._weights.fill)
