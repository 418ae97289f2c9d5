"""Reading the data that ships in `profiles/`: use cases, templates, known models."""

from functools import cache
from importlib import resources
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, model_validator

from peft_schemas.base import Word
from peft_schemas.config import ProfileName, TemplateName


class ProfileHardware(Word):
    """What a profile needs for its reference model."""

    minimum_memory_gb: float
    reference_model: str


class ExamplePrompt(Word):
    """Something to say to a model, to see what it has learned."""

    tag: str
    """Which of its profile's tags it is for."""

    text: Annotated[str, Field(min_length=1)]


class Profile(Word):
    """A use case and the values that suit it."""

    title: str
    icon: str
    """A codicon's name."""

    description: str
    use_cases: Annotated[list[str], Field(min_length=3)]
    tags: Annotated[list[str], Field(min_length=1)]
    """What a model of this use case is asked for, a word each."""

    prompts: Annotated[list[ExamplePrompt], Field(min_length=3)]
    """For trying a model of this use case; no two are alike, and each fits a tag."""

    hardware: ProfileHardware
    values: dict[str, dict[str, Any]]
    """Config values by section."""

    @model_validator(mode="after")
    def _prompts_fit(self) -> Self:
        texts = [" ".join(prompt.text.casefold().split()) for prompt in self.prompts]
        if twice := {text for text in texts if texts.count(text) > 1}:
            raise ValueError(f"prompts: {sorted(twice)[0]!r} is there twice")
        if foreign := {prompt.tag for prompt in self.prompts} - set(self.tags):
            raise ValueError(f"prompts: {sorted(foreign)[0]!r} is none of the tags")
        return self


class Template(Word):
    """A starting point."""

    title: str
    description: str
    values: dict[str, dict[str, Any]]


class PackageSource(Word):
    """A Python package that carries a model's weights."""

    package: str
    """The importable name, whose folder holds the file."""

    distribution: str
    """What to install when it is absent."""

    file: str


class KnownModel(Word):
    """A hub model that can be had without the hub."""

    licence: str
    context_length: int
    sources: list[PackageSource]


class KnownModels(Word):
    """The content of `models.yaml`."""

    models: dict[str, KnownModel]


def read_data(path: str) -> Any:
    """Return the content of a YAML file of `profiles/`, by its path there."""
    text = resources.files("peft_profiles").joinpath(path).read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  (both are safe loaders)


@cache
def load_profile(name: ProfileName) -> Profile:
    """Return a built-in profile."""
    return Profile.model_validate(read_data(f"profiles/{name}.yaml"))


@cache
def load_template(name: TemplateName) -> Template:
    """Return a built-in template."""
    return Template.model_validate(read_data(f"templates/{name}.yaml"))


@cache
def known_models() -> dict[str, KnownModel]:
    """Return the models that have a registered local source, by hub id."""
    return KnownModels.model_validate(read_data("models.yaml")).models
