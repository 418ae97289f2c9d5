from types import SimpleNamespace
from unittest.mock import create_autospec

import pynvml
import pytest
import torch

from peft_engine.training.watched import resources
from peft_engine.training.watched.resources import Resources, gpu_values, memory_share


def test_what_is_not_there_has_no_value_and_no_zero():
    values = Resources(torch.device("cpu")).values()
    assert set(values) == {"cpu_percent", "machine_memory_share"}
    assert 0 < values["machine_memory_share"] < 1


def test_a_cuda_device_without_its_driver_has_no_values():
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert resources._handle(torch.device("cuda", 0)) is None
    else:
        pytest.skip("this machine has an NVIDIA driver")


def test_the_machine_is_looked_at_at_most_once_a_second():
    now = [100.0]
    looking = Resources(torch.device("cpu"), clock=lambda: now[0])
    first = looking.values()
    now[0] += 0.9
    assert looking.values() is first
    now[0] += 0.2
    assert looking.values() is not first


def test_the_memory_that_counts_is_that_of_the_device():
    assert memory_share({"machine_memory_share": 0.3, "gpu_memory_share": 0.8}) == 0.8
    assert memory_share({"machine_memory_share": 0.3}) == 0.3
    assert memory_share({}) is None


@pytest.fixture
def driver(monkeypatch):
    """The functions of NVML as the installed package declares them, with a driver's answers."""
    stand_in = create_autospec(pynvml)
    stand_in.NVMLError = pynvml.NVMLError
    stand_in.NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU
    stand_in.nvmlDeviceGetUtilizationRates.return_value = SimpleNamespace(gpu=93, memory=40)
    stand_in.nvmlDeviceGetMemoryInfo.return_value = SimpleNamespace(total=80 * 2**30, free=20 * 2**30, used=60 * 2**30)
    stand_in.nvmlDeviceGetTemperature.return_value = 71
    monkeypatch.setattr(resources, "pynvml", stand_in)
    return stand_in


def test_contract_a_gpu_is_described_by_its_driver(driver):
    assert gpu_values("handle") == {
        "gpu_percent": 93.0,
        "gpu_memory_bytes": 60.0 * 2**30,
        "gpu_memory_share": 0.75,
        "gpu_celsius": 71.0,
    }


def test_contract_what_a_gpu_does_not_tell_is_left_out(driver):
    driver.nvmlDeviceGetTemperature.side_effect = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    driver.nvmlDeviceGetUtilizationRates.side_effect = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    assert set(gpu_values("handle")) == {"gpu_memory_bytes", "gpu_memory_share"}
