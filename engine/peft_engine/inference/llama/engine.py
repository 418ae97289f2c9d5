"""A GGUF base that answers under any adapter."""

from pathlib import Path

from peft_engine.inference.contract import Conversation, GenerationRequest
from peft_engine.inference.llama.adapters import Adapters
from peft_engine.inference.llama.context import Context
from peft_engine.inference.llama.sequence import LlamaSequence
from peft_engine.inference.llama.weights import Weights
from peft_engine.inference.template import TemplateRefused, TemplateRequest
from peft_engine.inference.template_process import TemplateProcess
from peft_schemas.errors import WorkbenchError


class LlamaEngine:
    """One base in memory with the adapters that were asked for. Driven by one thread."""

    slots = 1

    def __init__(self, path: Path, *, context_length: int, threads: int) -> None:
        """Load a base.

        Args:
            path: The GGUF file.
            context_length: Tokens of prompt and answer together.
            threads: Processor threads that compute.

        Raises:
            WorkbenchError: The file cannot be loaded (`model-unreadable`) or memory is short (`out-of-memory`).
        """
        self._templates = TemplateProcess()
        self._templates.start()
        self._name = path.name
        self._length = context_length
        self._weights = Weights(path)
        self._adapters = Adapters(self._weights)
        self._context = Context(self._weights, self._adapters, length=context_length, threads=threads)
        self._sequence: LlamaSequence | None = None

    def open(self, request: GenerationRequest) -> LlamaSequence:
        """Prepare an answer. Contract: `Engine.open`."""
        adapter = self._adapters.key(request.adapters[0] if request.adapters else None)
        if not isinstance(request.prompt, Conversation):
            raise NotImplementedError
        template = request.prompt.template or self._adapters.chat_template(adapter) or self._weights.chat_template
        prompt = self._weights.tokenize(self._render(request.prompt, template))
        room = self._length - len(prompt)
        if room < 1:
            raise WorkbenchError(
                "context-exceeded",
                f"The conversation has {len(prompt):,} tokens, but the model's context holds {self._length:,} "
                "with the answer.",
                "Start a new conversation, shorten it, or choose a model with a longer context.",
            )
        cached = self._context.begin(prompt, adapter)
        limit = room if request.max_tokens is None else min(room, request.max_tokens)
        self._sequence = LlamaSequence(self._weights, self._context, prompt, request, cached_tokens=cached, limit=limit)
        return self._sequence

    def step(self) -> None:
        """Advance the open sequence. Contract: `Engine.step`."""
        if self._sequence is not None and not self._sequence.closed:
            self._sequence.advance()

    def unload(self) -> None:
        """Free the memory."""
        self._templates.close()
        self._context.free()
        self._weights.unload()

    def _render(self, conversation: Conversation, template: str | None) -> str:
        if template is None:
            raise WorkbenchError(
                "not-supported",
                f"{self._name} has no chat template, so it cannot hold a conversation.",
                "Choose a model that was made for chat, such as one whose name ends in Instruct.",
            )
        try:
            return self._templates.render(
                TemplateRequest(
                    template=template,
                    messages=[dict(message) for message in conversation.messages],
                    bos_token=self._weights.bos_text,
                    eos_token=self._weights.eos_text,
                )
            )
        except TemplateRefused as refused:
            raise WorkbenchError(
                "not-supported",
                f"The chat template of {self._name} refuses this conversation: {refused}.",
                "Change the order or the roles of the messages, or choose another model.",
            ) from refused
