"""Resolution: what the user wrote always wins, every value has an origin, and nothing is invented."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.language.binding import bind
from peft_daemon.language.context import NOTHING_KNOWN
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.unwritten import unwritten
from peft_engine.config.document import parse
from peft_engine.config.resolve import leaves, resolve
from peft_engine.config.text import SourceText
from peft_engine.profiles import load_profile, load_template
from tests.property.strategies import configs, examples, to_yaml

SOURCE = Path("Release notes.peft.yaml")
RIVALS = {"training.warmup_steps": "training.warmup_ratio", "evaluation.split": "evaluation.datasets"}
"""What a profile brings, and how a user says the same thing otherwise."""


@examples(100)
@given(configs())
def test_B6_a_value_that_the_user_wrote_always_wins(config: dict) -> None:
    resolved = resolve(config, source=SOURCE)
    for path, value in leaves(config):
        explained = resolved.explain(path)
        assert explained is not None, path
        assert (explained.value, explained.origin) == (value, "user")


@examples(100)
@given(configs())
def test_B6_every_value_has_an_origin_and_filled_values_come_from_the_named_layer(config: dict) -> None:
    resolved = resolve(config, source=SOURCE)
    layers = {}
    if "template" in config:
        layers["template"] = dict(leaves(load_template(config["template"]).values))
    if "profile" in config:
        layers["profile"] = dict(leaves(load_profile(config["profile"]).values))
    for value in resolved.explained:
        if value.origin in ("template", "profile"):
            assert layers[value.origin][value.path] == value.value
            assert value.reason
        if value.origin == "profile":
            assert value.path not in layers.get("template", {}), "the template outranks the profile"
        if value.origin == "default":
            rival = RIVALS.get(value.path, value.path)
            said_otherwise = any(path.startswith(rival) for path, _ in leaves(config))
            assert said_otherwise or all(value.path not in layer for layer in layers.values())
    assert [value.path for value in resolved.explained] == [
        path for path, _ in leaves(resolved.config.model_dump(mode="json"))
    ]


@examples(60)
@given(configs())
def test_B6_what_a_key_comes_to_when_it_is_left_out_is_what_the_run_gets(config: dict) -> None:
    document = parse(SourceText(to_yaml(config)))
    subject = Subject(document, bind(document), NOTHING_KNOWN)
    for value in resolve(config, source=SOURCE).explained:
        # A list of sections has no words of its own in a hover, and a run's name is its file's, not known here.
        if value.origin != "user" and value.path not in {"evaluation.datasets", "name"}:
            told = unwritten(subject, value.path)
            assert told is not None, value.path
            assert (told.value, told.origin) == (value.value, value.origin), value.path


@examples(60)
@given(configs(), st.data())
def test_B6_values_mean_the_same_whichever_of_two_layers_each_is_in(
    tmp_path_factory, config: dict, data: st.DataObject
) -> None:
    whole = resolve(config, source=SOURCE)
    sections = {"method", "training", "checkpoint", "export", "compute"} & config.keys()
    brought = {
        # Of two ways to say one thing, the stronger layer's counts.
        section: {
            name: value
            for name, value in config[section].items()
            if f"{section}.{name}" not in {*RIVALS, *RIVALS.values()} and data.draw(st.booleans())
        }
        for section in sorted(sections)
    }
    written = {
        section: {name: value for name, value in values.items() if name not in brought[section]}
        if section in brought
        else values
        for section, values in config.items()
    }
    folder = tmp_path_factory.mktemp("presets")
    (folder / "presets").mkdir()
    (folder / "presets/half.yaml").write_text(json.dumps({"values": brought}))
    halves = resolve({**written, "preset": "half"}, source=folder / SOURCE.name)
    assert {**halves.config.model_dump(), "preset": config.get("preset")} == whole.config.model_dump()
    for section, values in brought.items():
        for path, _ in leaves(values, section):
            explained = halves.explain(path)
            assert explained is not None, path
            assert explained.origin == "preset"
