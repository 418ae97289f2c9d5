import pytest

from peft_engine.datasets.slices import take
from peft_schemas.errors import WorkbenchError

TEN = list(range(10))


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train", TEN),
        ("train[:3]", [0, 1, 2]),
        ("[3:5]", [3, 4]),
        ("[-2:]", [8, 9]),
        ("[:-8]", [0, 1]),
        ("train[:20%]", [0, 1]),
        ("[85%:]", [8, 9]),
        ("[-10%:]", [9]),
        ("[:]", TEN),
        ("train[:1]+train[-1:]", [0, 9]),
        ("[:1_0]", TEN),
    ],
)
def test_a_slice_takes_what_datasets_takes(split, expected):
    assert take(TEN, split, "d.jsonl") == expected


@pytest.mark.parametrize(
    ("split", "why"),
    [
        ("test", "all of it is the split `train`"),
        ("validation[:10%]", "all of it is the split `train`"),
        ("[:11]", "beyond the 10 records of d.jsonl"),
        ("[:101%]", "beyond 100%"),
        ("train[5]", "no part of a dataset"),
        ("train[:10%](pct1_dropremainder)", "no part of a dataset"),
        ("train+", "no part of a dataset"),
    ],
)
def test_a_split_that_means_nothing_for_a_file_is_refused(split, why):
    with pytest.raises(WorkbenchError) as caught:
        take(TEN, split, "d.jsonl")
    assert caught.value.code == "config-invalid"
    assert why in caught.value.message


def test_a_slice_without_a_record_is_told():
    with pytest.raises(WorkbenchError) as caught:
        take(TEN, "[5:5]", "d.jsonl")
    assert caught.value.code == "dataset-empty"
