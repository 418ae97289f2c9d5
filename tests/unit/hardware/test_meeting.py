"""Whether processes could train together, as the doctor says it."""

import socket
import sys

import pytest

from peft_daemon.cli.doctor_several import several_check
from peft_engine.hardware import meeting
from peft_engine.training.support import refuse_on_device, refuse_unsupported
from peft_schemas.config import RunConfig
from peft_schemas.errors import WorkbenchError


def config(**sections: object) -> RunConfig:
    return RunConfig.model_validate({"version": 1, "model": {"base": "a"}, "datasets": [{"path": "b"}], **sections})


def test_processes_of_this_machine_can_meet() -> None:
    assert meeting.meeting_fault() is None


def test_a_machine_whose_name_has_no_address_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "no-such-machine.invalid")
    check = several_check(sys.executable, 8)
    assert check.status == "warn"
    assert "no-such-machine.invalid, has no address" in check.message


@pytest.mark.parametrize("gpus", [0, 1])
def test_one_device_needs_no_torch_to_be_asked(gpus: int) -> None:
    assert several_check("/no/such/python", gpus).status == "pass"


def test_gpus_that_torch_cannot_use_are_told_of() -> None:
    pytest.importorskip("torch")
    exchange = meeting.exchange_of(sys.executable)
    assert exchange is not None
    assert exchange.gloo
    check = several_check(sys.executable, max(2, exchange.devices))
    assert check.status == ("pass" if exchange.devices > 1 and exchange.nccl else "warn")
    assert several_check("/no/such/python", 2).message.endswith("is not there or does not answer.")


@pytest.mark.parametrize(
    ("device", "processes", "devices", "refused"),
    [("cuda", 3, 2, True), ("cuda", 2, 2, False), ("mps", 2, 1, True), ("mps", 1, 1, False), ("cpu", 9, 1, False)],
)
def test_more_processes_than_devices_are_refused(device: str, processes: int, devices: int, refused: bool) -> None:
    if not refused:
        refuse_on_device(config(), device, processes=processes, devices=devices)
        return
    with pytest.raises(WorkbenchError) as caught:
        refuse_on_device(config(), device, processes=processes, devices=devices)
    assert caught.value.remedy == f"Set `compute.processes: {devices}`."


def test_packed_weights_are_not_spread() -> None:
    pytest.importorskip("bitsandbytes")
    packed = {"model": {"base": "a", "quantization": "nf4"}, "method": {"type": "qlora"}}
    refuse_unsupported(config(**packed, compute={"processes": 2}))
    with pytest.raises(WorkbenchError, match="packed as nf4 stay whole"):
        refuse_unsupported(config(**packed, compute={"processes": 2, "strategy": "fsdp"}))
