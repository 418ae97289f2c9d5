"""What stands behind the question mark of a request. Everything there is text, so numbers are read out of it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ListQuery(_Query):
    """`GET /runs`."""

    limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    offset: Annotated[int, Field(ge=0)] = 0


class EventsQuery(_Query):
    """`GET /runs/{id}/events`."""

    after_seq: Annotated[int, Field(ge=0)] = 0
    """Only events with a higher `seq`; 0 for all."""
