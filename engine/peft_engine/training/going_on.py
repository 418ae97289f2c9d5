"""From where a later worker of a run goes on. Light: what it needs to know is in hashes and small files."""

import json
import shutil

from peft_engine.files import sha256
from peft_engine.rundir import RunDirectory
from peft_engine.rundir.checkpoints import (
    Checkpoint,
    CheckpointStore,
    intact_checkpoints,
    step_folder,
    steps_of,
    verify_checkpoint,
)
from peft_engine.training.journal import Journal
from peft_schemas.config import CheckpointConfig


def find_start(run: RunDirectory, journal: Journal, config: CheckpointConfig) -> Checkpoint | None:
    """Choose the newest intact checkpoint, say so in the journal, and clear away what later steps will write anew.

    With `load_best`, the checkpoint of the lowest evaluation loss must be intact too: an older one that still has its
    own is taken before.

    Returns:
        None where the run begins anew, because no checkpoint is intact.
    """
    intact: list[Checkpoint] = []
    chosen = None
    for found in intact_checkpoints(run):
        intact.append(found)
        if not config.load_best or _has_best(found):
            chosen = found
            break
    if chosen is None and intact:
        chosen = intact[0]
        journal.warning("The checkpoint with the lowest evaluation loss is lost: the search for it begins anew.")
    for path in reversed(steps_of(run.checkpoints)):
        if chosen is not None and path == chosen.path:
            break
        if path not in {found.path for found in intact}:
            journal.warning(f"The checkpoint {path.name} is damaged, or of another run, and is not used.")
    step = 0 if chosen is None else chosen.step
    journal.resumed(step=step, checkpoint=None if chosen is None else chosen.path.relative_to(run.path).as_posix())
    # After the word about it: from here on the checkpoints of later steps do not count.
    CheckpointStore(run, config.keep).discard_after(step)
    _clear_result(run)
    return chosen


def complete_if_finished(run: RunDirectory, journal: Journal) -> bool:
    """Complete a run whose worker was killed after its last write and before its last word.

    Returns:
        Whether the result is there, byte for byte what its manifest says.
    """
    hashes = run.read_manifest()
    if not hashes or not all(_is(run, name, digest) for name, digest in hashes.items()):
        return False
    journal.enter("running", "finding the finished result")
    # The last step is always saved, and always reported, but `state.json` may have missed it.
    last = next(intact_checkpoints(run), None)
    there = {name.partition("/")[0] for name in hashes}
    journal.complete(
        step=journal.step if last is None else max(journal.step, last.step),
        adapter=run.adapter.name if run.adapter.name in there else None,
        gguf=run.gguf.name if run.gguf.name in there else None,
        merged=run.merged.name if run.merged.name in there else None,
    )
    return True


def _has_best(checkpoint: Checkpoint) -> bool:
    best = json.loads((checkpoint.path / "trainer_state.json").read_bytes()).get("best_global_step")
    return best in (None, checkpoint.step) or verify_checkpoint(step_folder(checkpoint.path.parent, best)) is not None


def _is(run: RunDirectory, name: str, digest: str) -> bool:
    try:
        return sha256(run.path / name) == digest
    except OSError:
        return False


def _clear_result(run: RunDirectory) -> None:
    """Remove a result that is not whole; the manifest first, so that nobody takes the rest for one."""
    run.manifest.unlink(missing_ok=True)
    run.gguf.unlink(missing_ok=True)
    for folder in (run.adapter, run.merged, run.model):
        shutil.rmtree(folder, ignore_errors=True)
