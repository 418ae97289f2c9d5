"""What `POST /v1/completions` takes."""

from typing import Annotated, Literal

from pydantic import Field

from peft_engine.inference.contract import Infill, Prompt, Text, Tokens
from peft_engine.inference.http.asking import BodyAtFault
from peft_engine.inference.http.bounds import LIMITS
from peft_engine.inference.http.requests import TextRequest

_TokenList = Annotated[list[Annotated[int, Field(ge=0, lt=2**31, strict=True)]], Field(min_length=1, max_length=2**20)]


class CompletionRequest(TextRequest):
    """The body of a completion request."""

    prompt: (
        str
        | _TokenList
        | Annotated[list[str], Field(min_length=1, max_length=LIMITS.prompts)]
        | Annotated[list[_TokenList], Field(min_length=1, max_length=LIMITS.prompts)]
    )
    """A text, the tokens of one, or several of either."""

    suffix: str | None = None
    """What follows the gap that is to be filled, for a model that can."""

    echo: bool | None = None
    """Whether the answer begins with the prompt."""

    logprobs: Annotated[int, Field(ge=0, le=LIMITS.legacy_logprobs)] | None = None
    """How many alternatives come with each token's log-probability."""

    best_of: Literal[1] | None = None

    def written(self) -> list[str | list[int]]:
        """Return each prompt as it was sent."""
        if isinstance(self.prompt, str) or isinstance(self.prompt[0], int):
            return [self.prompt]
        return list(self.prompt)

    def prompts(self) -> list[Prompt]:
        """Return each prompt as the engine takes it.

        Raises:
            BodyAtFault: The fields do not go together.
        """
        prompts = [self._prompt(written) for written in self.written()]
        if len(prompts) * self.answers > LIMITS.prompts:
            raise BodyAtFault("n", f"n: at most {LIMITS.prompts} answers to all prompts together can be asked for.")
        return prompts

    def _prompt(self, written: str | list[int]) -> Prompt:
        if isinstance(written, list):
            if self.suffix:
                raise BodyAtFault("suffix", "suffix: a gap can only be filled in a prompt that is text, not tokens.")
            if self.echo:
                raise BodyAtFault("echo", "echo: only a prompt that is text can be repeated, not tokens.")
            return Tokens(tuple(written))
        if self.echo and self.logprobs is not None:
            raise BodyAtFault("echo", "echo: the log-probabilities of a prompt cannot be given.")
        if self.suffix:
            return Infill(written, self.suffix)
        if not written:
            raise BodyAtFault("prompt", "prompt: there must be something to continue.")
        return Text(written)
