"""`peftw doctor`: whether several processes could train together."""

from peft_engine.hardware.meeting import Exchange, exchange_of, meeting_fault
from peft_schemas.hardware import DoctorCheck

_NAME = "several GPUs"


def several_check(python: str, gpus: int) -> DoctorCheck:
    """Return the line on training with several GPUs.

    Args:
        python: The interpreter that trains.
        gpus: How many CUDA devices the driver names.
    """
    fault = meeting_fault()
    if fault is not None:
        return DoctorCheck(
            name=_NAME,
            status="warn",
            message=f"Several processes could not train together, because {fault}.",
            remedy="Give the name an address in /etc/hosts, or set GLOO_SOCKET_IFNAME to a network interface.",
        )
    if gpus < 2:
        found = "no GPU" if gpus == 0 else "one GPU"
        return DoctorCheck(name=_NAME, status="pass", message=f"This machine has {found}: one process trains best.")
    problem = _problem(exchange_of(python))
    if problem is not None:
        return DoctorCheck(
            name=_NAME,
            status="warn",
            message=f"The driver names {gpus} GPUs, but the torch of {python} {problem}.",
            remedy="Install the torch build for your driver, and look at CUDA_VISIBLE_DEVICES.",
        )
    message = f"{gpus} GPUs can train together over NCCL: `compute.processes: {gpus}`."
    return DoctorCheck(name=_NAME, status="pass", message=message)


def _problem(exchange: Exchange | None) -> str | None:
    if exchange is None:
        return "is not there or does not answer"
    if exchange.devices < 2:
        return f"sees {exchange.devices}"
    absent = [name for name, there in (("NCCL", exchange.nccl), ("Gloo", exchange.gloo)) if not there]
    return f"has no {' and no '.join(absent)}" if absent else None
