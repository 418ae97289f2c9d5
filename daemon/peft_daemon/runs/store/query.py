"""Finding runs in the index. Every statement that is made here goes through an index of the tables."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from peft_schemas.errors import WorkbenchError
from peft_schemas.records import Condition, RunQuery

_COLUMNS = frozenset({"state", "base", "method", "name", "version", "created", "updated"})
SORTS = frozenset({"created", "updated", "name"})
"""What every run has that a list can be sorted by; anything else is a metric."""

_CONDITION = re.compile(r"^\s*([A-Za-z_][\w.-]*)\s*(<=|>=|=|<|>)\s*(.+?)\s*$")


@dataclass(frozen=True)
class Statement:
    """A statement and what its question marks stand for."""

    sql: str
    values: Sequence[str | float | int]


def parse_condition(text: str) -> Condition:
    """Read a condition as people write it: `state=failed`, `loss < 0.5`, `created>=2026-11-01`.

    Raises:
        WorkbenchError: It is none (`config-invalid`).
    """
    match = _CONDITION.match(text)
    if match is None:
        raise WorkbenchError(
            "config-invalid",
            f"`{text}` is no condition.",
            "Write a key, one of = < <= > >=, and a value: `state=failed`, `loss<0.5`, `created>=2026-11-01`.",
        )
    key, op, value = match.groups()
    if key in _COLUMNS or key == "tag":
        return Condition.model_validate({"key": key, "op": op, "value": value})
    try:
        return Condition.model_validate({"key": key, "op": op, "value": float(value)})
    except ValueError as error:
        raise WorkbenchError(
            "config-invalid",
            f"`{text}` compares the metric {key} with what is no number.",
            f"Write a number, or one of the keys {', '.join(sorted([*_COLUMNS, 'tag']))}.",
        ) from error


def page(query: RunQuery) -> Statement:
    """Return the statement for one page of the runs that meet a query: their summaries."""
    source, where, values = _source(query)
    direction = "DESC" if query.descending else "ASC"
    if query.sort in SORTS:
        within = f"runs.created {direction}, " if query.sort == "name" else ""
        order = f"runs.{query.sort} {direction}, {within}runs.id {direction}"
    else:
        order = f"sorted.value {direction} NULLS LAST, runs.id {direction}"
    sql = f"SELECT runs.summary FROM {source}{where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
    return Statement(sql, [*values, query.limit, query.offset])


def count(query: RunQuery) -> Statement:
    """Return the statement for how many runs meet a query."""
    source, where, values = _source(query)
    return Statement(f"SELECT count(*) FROM {source}{where}", values)  # noqa: S608


def _source(query: RunQuery) -> tuple[str, str, list[str | float | int]]:
    """Return the joined tables, the condition on them, and the values. Only known words become part of the text."""
    joins: list[str] = []
    terms: list[str] = []
    values: list[str | float | int] = []
    if query.sort not in SORTS:
        joins.append("latest AS sorted ON sorted.run = runs.key AND sorted.metric = ?")
        values.append(query.sort)
    numbers: list[str | float | int] = []
    for at, condition in enumerate(query.where):
        if condition.key == "tag":
            joins.append(f"tags AS tag{at} ON tag{at}.run = runs.key")
            terms.append(f"tag{at}.tag {condition.op} ?")
        elif condition.key in _COLUMNS:
            terms.append(f"runs.{condition.key} {condition.op} ?")
        else:
            joins.append(f"latest AS metric{at} ON metric{at}.run = runs.key")
            terms.append(f"metric{at}.metric = ? AND metric{at}.value {condition.op} ?")
            numbers.append(condition.key)
        numbers.append(condition.value)
    # A run that was seen but not yet read has no state.
    terms.append("runs.state <> ''")
    source = "runs" + "".join(f" JOIN {join}" for join in joins)
    return source, " WHERE " + " AND ".join(terms), [*values, *numbers]
