"""Texts that an editor or a terminal shows on a page of their own."""

from typing import Any

from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.wording import FIGURES, amount, counted
from peft_engine.config.schema import Section, language
from peft_engine.config.write import to_yaml
from peft_schemas.estimate import EstimateReport
from peft_schemas.plan import RunPlan

_NOT_KNOWN = "not known"


def estimate_page(report: EstimateReport) -> str:
    """Return figures with their arithmetic as Markdown."""
    rows = ["| Figure | Value | How it comes about |", "|---|---:|---|"]
    rows += [f"| {FIGURES[figure.name]} | {amount(figure)} | {figure.formula} |" for figure in report.figures]
    rows += [f"| {FIGURES[missing.name]} | ? | {missing.reason} |" for missing in report.unknown]
    missing = " and ".join(report.not_estimated).capitalize()
    return "\n".join([*rows, "", f"{missing} are not estimated by this version."])


def plan_page(plan: RunPlan) -> str:
    """Return what a dry run found as Markdown."""
    base = f"from {plan.base_path}" if plan.base_path is not None else "would be fetched from the hub first"
    lines = [f"**{plan.name}** can be run. Nothing was started.", "", f"- Base: {plan.base}, {base}."]
    lines += [
        f"- Data: {data.path}: {counted(data.examples, 'example')} of the format {data.format}."
        for data in plan.datasets
    ]
    to_train_on = counted(plan.training_examples, "example")
    lines.append(f"- {to_train_on} to train on in an epoch, {plan.held_out_examples:,} to measure on.")
    return "\n".join([*lines, "", estimate_page(plan.figures)])


def effective_page(subject: Subject) -> str:
    """Return every value that a run would use as YAML, in the order of the language, so that two can be compared."""
    return to_yaml(_section(subject, language(), ""))


def _section(subject: Subject, section: Section, path: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key in section.keys.values():
        here = f"{path}.{key.name}" if path else key.name
        if key.section is not None and not key.is_list:
            values[key.name] = _section(subject, key.section, here)
        elif (setting := subject.setting(here)) is None:
            values[key.name] = _NOT_KNOWN
        elif setting.value is not None:
            values[key.name] = setting.value
    return values
