"""Faults against the config language: unknown keys, wrong types, numbers out of range, missing and repeated keys."""

import random
import re
from functools import cache

from benchmarks.findings.combinations import as_path
from benchmarks.findings.faults import Planted, planter
from benchmarks.findings.sheet import CannotPlantError, Path, Sheet, Spot
from benchmarks.findings.surgery import Splice, drop, insert, put, spelt

from peft_engine.config.foreign import foreign_names
from peft_engine.config.schema import Key, walk

REQUIRED = ("version", "model", "datasets", "model.base", "datasets.0.path")
NAMES_OF_OTHERS = {
    "model": ["base_model", "model_name_or_path", "torch_dtype", "attn_implementation", "load_in_4bit", "flash_attn"],
    "method": ["lora_r", "lora_alpha", "lora_dropout", "lora_target_modules", "lora_rank", "adapter", "peft_use_dora",
               "lora_modules_to_save", "use_rslora"],
    "training": ["micro_batch_size", "per_device_train_batch_size", "num_train_epochs", "epochs", "lr", "sequence_len",
                 "cutoff_len", "sample_packing", "lr_scheduler_type", "optim", "bf16", "fp16", "max_seq_length",
                 "log_every_n_steps", "enable_activation_checkpointing"],
    "checkpoint": ["save_steps", "save_total_limit", "load_best_model_at_end"],
    "evaluation": ["eval_steps", "val_set_size", "val_size", "per_device_eval_batch_size"],
    "": ["output_dir", "base_model", "learning_rate", "wandb_project", "sequence_len", "load_in_8bit", "chat_template",
         "micro_batch_size", "resume_from_checkpoint", "dataset_prepared_path", "gradient_accumulation_steps"],
}  # fmt: skip
"""The keys that people bring along from other tools, by the section in which they would write them."""


@cache
def keys() -> dict[str, Key]:
    """Return every key that takes a plain value, by its path with `0` for a list's entry."""
    found = ((path.replace("[]", ".0"), key) for path, key in walk())
    return {path: key for path, key in found if key.section is None and not path.startswith("evaluation.datasets")}


def chosen_key(dice: random.Random, *kinds: str) -> tuple[str, Key]:
    """Return a random key of some types."""
    return dice.choice(
        [(path, key) for path, key in keys().items() if set(key.types) & set(kinds) and path != "version"]
    )


def wrong_value(
    text: str,
    dice: random.Random,
    path: str,
    value: str,
    code: str,
    *,
    fix: bool = True,
    also: str = "",
    key: bool = False,
) -> Planted:
    """Plant a value that its key does not take."""
    if path.startswith("evaluation") or path == "training.early_stopping_patience":
        # Where nothing is evaluated that is a fault of its own, which shows once the value is right.
        also += " PW411 PW414"
    if path == "method.r":
        # The strength of the adapter follows from the rank, and is unknown until that is right.
        also += " PW306 PW307"
    text, is_anchored = spelt(text, as_path(path), value, dice)
    sheet = Sheet(text)
    spot = sheet.at(as_path(path))
    places = {sheet.span(spot.start, spot.end)} | ({sheet.span(*spot.key)} if key and spot.key else set())
    return Planted(
        text,
        frozenset(code.split()),
        frozenset(places),
        fix and not is_anchored,
        (as_path(path),),
        consequences=frozenset(also.split()),
    )


def any_key(text: str, dice: random.Random, least: int = 1) -> tuple[Path, Spot, tuple[int, int]]:
    """Return a key that stands in the text.

    Raises:
        CannotPlantError: There is none.
    """
    found = [
        (path, spot, spot.key)
        for path, spot in Sheet(text).walk()
        if spot.key is not None and path[-1] != "<<" and len(str(path[-1])) >= least
    ]
    if not found:
        raise CannotPlantError("no keys")
    return dice.choice(found)


@planter("typo")
def typo(text: str, dice: random.Random) -> Planted:
    """A misspelt key."""
    path, _spot, (start, end) = any_key(text, dice, 4)
    name = str(path[-1])
    at = dice.randrange(1, len(name) - 1)
    wrong = dice.choice(
        [name[:at] + name[at + 1 :], name[:at] + "q" + name[at:], name[:at] + name[at + 1] + name[at] + name[at + 2 :]]
    )
    if wrong in Sheet(text).at(path[:-1]).children or wrong in foreign_names() or wrong == name:
        raise CannotPlantError("another name")
    offset = text.index(name, start)
    broken = Splice(offset, offset + len(name), wrong).on(text)
    sheet = Sheet(broken)
    place = sheet.span(start, end + len(wrong) - len(name))
    return Planted(broken, frozenset({"PW101"}), frozenset({place}), True, (path, (*path[:-1], wrong)))


@planter("key-of-another-section")
def stray(text: str, dice: random.Random) -> Planted:
    """A key where another section's keys are."""
    path, value = dice.choice(
        [("training.r", "8"), ("method.learning_rate", "1.0e-4"), ("model.batch_size", "4"), ("batch_size", "8"),
         ("training.type", "lora"), ("checkpoint.seed", "1"), ("training.split", "0.1"), ("method.quantization", "nf4"),
         ("evaluation.keep", "2"), ("learning_rate", "1.0e-4"), ("datasets.0.max_length", "256")]
    )  # fmt: skip
    text = put(text, as_path(path), value, dice)
    sheet = Sheet(text)
    spot = sheet.at(as_path(path))
    places = {sheet.span(*spot.key)} if spot.key else set()
    return Planted(text, frozenset({"PW101", "PW110"}), frozenset(places), True, (as_path(path),))


@planter("section-within-a-section")
def nested_section(text: str, dice: random.Random) -> Planted:
    """A section of the top level, with its lines, below another one."""
    sheet = Sheet(text)
    section, lines = dice.choice(
        [("checkpoint", ["every_steps: 5", "keep: 2"]), ("watch", ["recovery: auto"]), ("export", ["merge: false"]),
         ("schedule", ["priority: 2", "ac_power: true"])]
    )  # fmt: skip
    holders = [(p, s) for p, s in sheet.walk() if s.kind == "block" and s.children and not s.is_list and len(p) == 1]
    if not holders or sheet.find((section,)) is not None or sheet.root.kind != "block":
        raise CannotPlantError("no section in block style, or it stands already")
    holder, spot = dice.choice(holders)
    broken = insert(text, spot, "\n  ".join([f"{section}:", *lines]), dice)
    own = Sheet(broken).at((*holder, section)).key
    places = {Sheet(broken).span(*own)} if own else set()
    return Planted(broken, frozenset({"PW101"}), frozenset(places), True, ((*holder, section), (section,)))


@planter("key-that-nobody-has")
def unknown(text: str, dice: random.Random) -> Planted:
    """A key that means nothing anywhere."""
    holders = [Sheet(text).root, *(s for p, s in Sheet(text).walk() if s.children and not s.is_list)]
    broken = insert(text, dice.choice(holders), "zzyzx: 1", dice)
    start = broken.index("zzyzx")
    return Planted(broken, frozenset({"PW101"}), frozenset({Sheet(broken).span(start, start + 5)}), True, (("zzyzx",),))


@planter("name-of-another-tool")
def foreign(text: str, dice: random.Random) -> Planted:
    """A key as another tool calls it."""
    section = dice.choice(list(NAMES_OF_OTHERS))
    name = dice.choice(NAMES_OF_OTHERS[section])
    path = (*([section] if section else []), name)
    text = put(text, path, "1", dice)
    sheet = Sheet(text)
    spot = sheet.at(path)
    return Planted(
        text,
        frozenset({"PW110", "PW101"}),
        frozenset({sheet.span(*spot.key)} if spot.key else ()),
        has_fix=False,
        touched=(path,),
        consequences=frozenset({"PW411"} if section == "evaluation" else ()),
    )


@planter("text-for-a-number")
def text_for_number(text: str, dice: random.Random) -> Planted:
    """A word or a quoted number where a number belongs."""
    path, _ = chosen_key(dice, "integer", "number")
    return wrong_value(text, dice, path, dice.choice(["four", "many", '"3"', "1.5.2", "ten%"]), "PW102", fix=False)


@planter("structure-for-a-value")
def structure(text: str, dice: random.Random) -> Planted:
    """A list or mapping where one value belongs."""
    path, _ = chosen_key(dice, "integer", "number", "boolean")
    return wrong_value(text, dice, path, dice.choice(["[1]", "{a: 1}", "[]"]), "PW102", fix=False)


@planter("number-for-a-switch")
def number_for_switch(text: str, dice: random.Random) -> Planted:
    """Something else where `true` or `false` belongs."""
    path = dice.choice(["training.packing", "training.completion_only_loss", "training.gradient_checkpointing"])
    return wrong_value(text, dice, path, dice.choice(["yes", "1", "on", '"true"', "no"]), "PW102")


@planter("switch-for-a-number")
def switch_for_number(text: str, dice: random.Random) -> Planted:
    """`true` where a number belongs."""
    path, _ = chosen_key(dice, "integer", "number")
    return wrong_value(text, dice, path, dice.choice(["true", "false"]), "PW102", fix=False)


@planter("fraction-for-a-count")
def fraction(text: str, dice: random.Random) -> Planted:
    """A number with decimals where a whole number belongs."""
    path, _key = dice.choice([(p, k) for p, k in keys().items() if k.types == ("integer",) and p != "version"])
    return wrong_value(text, dice, path, dice.choice(["2.5", "8.25"]), "PW102", fix=False)


@planter("out-of-range")
def out_of_range(text: str, dice: random.Random) -> Planted:
    """A number beyond what has a meaning."""
    path, key = chosen_key(dice, "integer", "number")
    low, high = key.bounds.ge if key.bounds.ge is not None else key.bounds.gt, key.bounds.le or key.bounds.lt
    beyond = []
    if low is not None:
        beyond += ["-4", "-1"] + (["0"] if low > 0 or key.bounds.gt is not None else [])
    if high is not None:
        beyond += [str(int(high * 2) + 1), "99999999999"]
    if not beyond:
        raise CannotPlantError("no bounds")
    return wrong_value(text, dice, path, dice.choice(beyond), "PW103", also="PW307 PW411")


def _of_lost_section(section: object) -> frozenset[str]:
    """Return what shows once a section is there again, without the keys that it had: QLoRA lacks its 4 bits."""
    return frozenset({"PW301"} if section == "model" else ())


@planter("missing-key")
def missing(text: str, dice: random.Random) -> Planted:
    """A required key that is not there."""
    path = as_path(dice.choice(REQUIRED))
    sheet = Sheet(text)
    if len(sheet.at(path[:-1]).children) < 2:
        raise CannotPlantError("the only key")
    text = drop(text, path)
    sheet = Sheet(text)
    if len(path) == 1:
        # The first line of the text, or the first key: no place is more right.
        return Planted(
            text,
            frozenset({"PW104"}),
            frozenset(),
            path == ("version",),
            (path,),
            consequences=_of_lost_section(path[0]),
        )
    holder = sheet.at(path[:-1])
    first = next(iter(holder.children.values())).key
    spans = {sheet.span(*holder.key)} if holder.key else {sheet.span(*first)} if first else set()
    if first and not holder.key:
        line, column = sheet.position(first[0])
        spans |= {
            (line, column - 2, line, column - 1),
            sheet.span(holder.start, holder.last),
            sheet.span(first[0], first[0]),
        }
    return Planted(text, frozenset({"PW104"}), frozenset(spans), False, (path,))


@planter("unknown-choice")
def unknown_choice(text: str, dice: random.Random) -> Planted:
    """A value that is not one of those that a key takes."""
    path, key = dice.choice([(p, k) for p, k in keys().items() if len(k.choices) > 1])
    # Another choice than the text's own would bring demands of its own, once it is spelt right.
    there = Sheet(text).find(as_path(path))
    own = text[there.start : there.end].strip("\"'") if there is not None else ""
    near = own if own in key.choices else str(key.default)
    at = dice.randrange(1, len(near))
    value = dice.choice([near[:at] + "x" + near[at:], near[:at] + near[at - 1] + near[at:]])
    if value in key.choices:
        raise CannotPlantError("a choice")
    return wrong_value(text, dice, path, value, "PW105")


@planter("repeated-key")
def repeated(text: str, dice: random.Random) -> Planted:
    """The same key a second time."""
    sheet = Sheet(text)
    found = [(path, spot) for path, spot in sheet.walk() if spot.kind == "scalar" and spot.key and path[-1] != "<<"]
    path, spot = dice.choice(found)
    holder = sheet.at(path[:-1])
    if holder.kind != "block" or "&" in text[spot.key[0] : spot.end] or "\n" in text[spot.key[0] : spot.end]:  # type: ignore[index]
        raise CannotPlantError("needs one line")
    name = str(path[-1])
    broken = insert(text, holder, f"{name}: {text[spot.start : spot.end]}", dice)
    starts = [match.start(1) for match in re.finditer(rf"^[ -]*({name}):", broken, re.MULTILINE)]
    places = frozenset(Sheet(broken).span(start, start + len(name)) for start in starts[1:])
    return Planted(broken, frozenset({"PW106"}), places, True, (path,))


@planter("value-for-a-section")
def value_for_section(text: str, dice: random.Random) -> Planted:
    """A plain value where a section's keys belong."""
    section, value = dice.choice(
        [("model", "gpt2"), ("training", "3"), ("method", "lora"), ("datasets", "data/train.jsonl"),
         ("evaluation", "true"), ("training", "[batch_size, 4]"), ("datasets", "{path: a.jsonl}"), ("method", "[lora]")]
    )  # fmt: skip
    text = put(drop(text, (section,)), (section,), value, dice)
    sheet = Sheet(text)
    spot = sheet.at((section,))
    return Planted(
        text,
        frozenset({"PW107"}),
        frozenset({sheet.span(spot.start, spot.end)}),
        False,
        ((section,),),
        consequences=_of_lost_section(section),
    )


@planter("version")
def version(text: str, dice: random.Random) -> Planted:
    """A version that this program does not read."""
    value = dice.choice(["2", "0", "1.5", "latest", "true"])
    return wrong_value(text, dice, "version", value, "PW108")


@planter("name")
def name(text: str, dice: random.Random) -> Planted:
    """A name with characters that a name cannot have."""
    value = dice.choice(["my run!", "'-x'", "über", "a/b", "a" * 65, "'  '", ".hidden", "😀"])
    return wrong_value(text, dice, "name", value, "PW109", fix=False)


@planter("time")
def time(text: str, dice: random.Random) -> Planted:
    """A time, or a window of times, in another form."""
    key = dice.choice(["schedule.not_before", "schedule.window"])
    value = dice.choice(["12:30:45", "'22:00'", "tonight", "'25:00-26:00'", "24.12.2026", "22-6"])
    return wrong_value(text, dice, key, value, "PW109", fix=False)


@planter("no-value")
def no_value(text: str, dice: random.Random) -> Planted:
    """A key with nothing behind it."""
    path = dice.choice([p for p, k in keys().items() if not k.nullable and p != "version"])
    value = dice.choice(["~", "null", "", "Null"])
    text = put(text, as_path(path), value or "nothinghere", dice)
    if not value:
        at = text.index("nothinghere")
        text = Splice(at - 1, at + len("nothinghere"), "").on(text)
    sheet = Sheet(text)
    spot = sheet.at(as_path(path))
    places = {sheet.span(*spot.key)} if spot.key else set()
    if value:
        places.add(sheet.span(spot.start, spot.end))
    # The default, once written, may be without effect, which was not to be seen before.
    also = {"model.double_quantization": {"PW332"}, "evaluation.every_steps": {"PW411"}}.get(path, set())
    return Planted(text, frozenset({"PW111"}), frozenset(places), False, (as_path(path),), consequences=frozenset(also))


@planter("empty-value")
def empty(text: str, dice: random.Random) -> Planted:
    """An empty text or list where one must hold something."""
    path = dice.choice(["model.base", "model.chat_template", "datasets.0.path", "datasets.0.split"])
    return wrong_value(text, dice, path, dice.choice(['""', "''"]), "PW112", fix=False)


@planter("no-datasets")
def no_datasets(text: str, dice: random.Random) -> Planted:
    """A list of datasets without an entry."""
    return wrong_value(drop(text, ("datasets",)), dice, "datasets", "[]", "PW112", fix=False)
