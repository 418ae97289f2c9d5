"""What a request asks for, and who asks."""

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from peft_engine.catalog import Servable
from peft_engine.inference.http.requests import first_fault
from peft_engine.inference.scheduler import Scheduler

Body = TypeVar("Body", bound=BaseModel)


class BodyAtFault(Exception):
    """A body that is not what it must be."""

    def __init__(self, param: str, message: str) -> None:
        """Remember the first fault.

        Args:
            param: The dotted path of the field.
            message: One sentence about it.
        """
        super().__init__(message)
        self.param = param
        self.message = message


async def read_body(request: Request, shape: type[Body]) -> Body:
    """Return the body of a request.

    Raises:
        BodyAtFault: It has another shape; the application answers 400.
    """
    try:
        return shape.model_validate_json(await request.body())
    except ValidationError as error:
        raise BodyAtFault(*first_fault(error)) from error


async def find_model(request: Request, model_id: str) -> Servable:
    """Return the model that a request names.

    Raises:
        WorkbenchError: There is no such model, or it cannot be served; the application answers 404 or 400.
    """
    return await asyncio.to_thread(scheduler_of(request).find, model_id)


def scheduler_of(request: Request) -> Scheduler:
    """Return who computes."""
    scheduler: Scheduler = request.app.state.scheduler
    return scheduler


def client_of(request: Request) -> str:
    """Name the program that asks, so that programs take turns. All of them come from this machine, with one key."""
    address = request.client.host if request.client is not None else ""
    return f"{address} {request.headers.get('user-agent', '')}"
