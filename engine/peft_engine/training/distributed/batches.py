"""How several processes share a batch, so that they take the very steps that one process with the whole batch would."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import DataLoader

from peft_engine.training.data.batch import Row, collate
from peft_engine.training.distributed.group import Group
from peft_engine.training.distributed.place import Place
from peft_schemas.errors import WorkbenchError


def collate_share(rows: Sequence[Row], place: Place) -> dict[str, Any]:
    """Return one process's share of a batch that all of them read alike.

    The last batch of an epoch may have fewer rows than there are processes. Who gets none reads the first row and
    learns nothing from it, because all processes must take part in each exchange of gradients.

    Args:
        rows: The rows of the whole batch.
        place: Of this process.

    Returns:
        What `collate` returns of the rows that fall to it.
    """
    mine = rows[place.rank :: place.processes]
    if mine:
        return collate(mine)
    batch = collate(rows[:1])
    return {**batch, "predict": batch["predict"][:0], "targets": batch["targets"][:0]}


def read_all(loader: DataLoader[Row]) -> DataLoader[Row]:
    """Have each process read every batch, of which `collate_share` gives it its share.

    accelerate would hand out whole batches in turn, and fill up the last round with rows from the beginning, which
    one process alone does not see twice.
    """
    sampler = loader.batch_sampler
    if isinstance(sampler, BatchSamplerShard):
        sampler.num_processes, sampler.process_index, sampler.even_batches = 1, 0, False
    return loader


def refuse_different_data(group: Group, rows: Iterable[Row]) -> None:
    """See that all processes are about to train on the same rows. To be called by all of them.

    Raises:
        WorkbenchError: They are not, because the files or the tokenizers of their machines differ (`config-invalid`).
    """
    if group.processes == 1:
        return
    digest = hashlib.sha256()
    for row in rows:
        for example in row:
            digest.update(example.ids.tobytes() + b"|" + example.trained.tobytes() + b"|")
    digests = group.collect(digest.hexdigest())
    different = [rank for rank, other in enumerate(digests) if other != digests[0]]
    if different:
        raise WorkbenchError(
            "config-invalid",
            f"Process {different[0] + 1} of {len(digests)} read other training data than the first one.",
            "Give every machine the same data files, the same base and the same versions, or a shared folder.",
        )
