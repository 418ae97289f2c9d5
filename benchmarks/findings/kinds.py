"""Every kind of fault that can be planted."""

from benchmarks.findings import scalars, schematic, semantic, syntactic, world
from benchmarks.findings.faults import Planter, planters

__all__ = ["KINDS"]

KINDS: dict[str, Planter] = planters()
MODULES = (scalars, schematic, semantic, syntactic, world)
"""Importing them registered the kinds."""
