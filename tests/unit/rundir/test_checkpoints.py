import pytest

from peft_engine.rundir import EventLog, create_run_directory
from peft_engine.rundir.checkpoints import CheckpointStore, last_verified_checkpoint, verify_checkpoint
from peft_schemas.events import CheckpointEvent, ResumedEvent


def filler(folder):
    (folder / "weights.bin").write_bytes(b"weights")
    (folder / "deep").mkdir()
    (folder / "deep/state.bin").write_bytes(b"state")


@pytest.fixture
def run():
    return create_run_directory("demo")


def announce(run, checkpoint):
    with EventLog(run.events) as log:
        path = checkpoint.path.relative_to(run.path).as_posix()
        log.append(CheckpointEvent, step=checkpoint.step, path=path, sha256=checkpoint.sha256)


def test_a_checkpoint_is_what_its_manifest_says(run):
    checkpoint = CheckpointStore(run, keep=2).write(50, filler)
    assert checkpoint.path == run.checkpoints / "step-000050"
    assert verify_checkpoint(checkpoint.path, checkpoint.sha256) == checkpoint


@pytest.mark.parametrize("name", ["weights.bin", "deep/state.bin", "manifest.json"])
def test_any_changed_byte_is_noticed(run, name):
    checkpoint = CheckpointStore(run, keep=2).write(50, filler)
    with (checkpoint.path / name).open("ab") as file:
        file.write(b" ")
    assert not verify_checkpoint(checkpoint.path, checkpoint.sha256)


def test_a_missing_file_is_noticed(run):
    checkpoint = CheckpointStore(run, keep=2).write(50, filler)
    (checkpoint.path / "weights.bin").unlink()
    assert not verify_checkpoint(checkpoint.path, checkpoint.sha256)


def test_an_attempt_that_fails_leaves_nothing_and_harms_nothing(run):
    store = CheckpointStore(run, keep=2)
    first = store.write(10, filler)

    def half(folder):
        filler(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store.write(20, half)
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-000010"]
    assert verify_checkpoint(first.path, first.sha256)


def test_what_a_killed_writer_left_is_removed_by_the_next(run):
    (run.checkpoints / ".making-step-000010").mkdir(parents=True)
    (run.checkpoints / ".making-step-000010/weights.bin").write_bytes(b"half")
    CheckpointStore(run, keep=2)
    assert list(run.checkpoints.iterdir()) == []


def test_only_the_newest_are_kept(run):
    store = CheckpointStore(run, keep=2)
    for step in (5, 10, 1000):
        store.write(step, filler)
    store.prune()
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["step-000010", "step-001000"]


def test_the_last_good_checkpoint_is_the_newest_that_is_intact(run):
    store = CheckpointStore(run, keep=3)
    assert last_verified_checkpoint(run) is None
    for step in (10, 20):
        announce(run, store.write(step, filler))
    assert last_verified_checkpoint(run) == "checkpoints/step-000020"
    (run.checkpoints / "step-000020/weights.bin").write_bytes(b"other")
    assert last_verified_checkpoint(run) == "checkpoints/step-000010"


def test_a_checkpoint_that_a_crash_kept_from_being_announced_counts_when_it_is_whole(run):
    CheckpointStore(run, keep=3).write(10, filler)
    assert last_verified_checkpoint(run) == "checkpoints/step-000010"


def test_an_unannounced_checkpoint_of_another_config_does_not_count(run):
    other = create_run_directory("demo")
    for one, rate in ((run, 0.001), (other, 0.002)):
        one.write_resolved({"config": {"training": {"learning_rate": rate}}})
    own = CheckpointStore(run, keep=2).write(10, filler)
    CheckpointStore(other, keep=2).write(20, filler).path.rename(run.checkpoints / "step-000020")
    assert last_verified_checkpoint(run) == own.path.relative_to(run.path).as_posix()


@pytest.mark.parametrize("damage", ["removed", "added", "flipped", "renamed"])
def test_an_unannounced_checkpoint_that_is_not_what_its_own_manifest_says_does_not_count(run, damage):
    path = CheckpointStore(run, keep=3).write(10, filler).path
    match damage:
        case "removed":
            (path / "weights.bin").unlink()
        case "added":
            (path / "more.bin").touch()
        case "flipped":
            (path / "weights.bin").write_bytes(b"weightz")
        case "renamed":
            path.rename(path.with_name("step-000020"))
    assert last_verified_checkpoint(run) is None


def test_an_announcement_binds_until_the_run_goes_on_from_before_it(run):
    store = CheckpointStore(run, keep=3)
    announce(run, store.write(10, filler))
    store.discard_after(0)
    assert list(run.checkpoints.iterdir()) == []
    rewritten = store.write(10, lambda folder: (folder / "weights.bin").write_bytes(b"other"))
    assert last_verified_checkpoint(run) is None
    with EventLog(run.events) as log:
        log.append(ResumedEvent, step=0, attempt=2, checkpoint=None)
    assert last_verified_checkpoint(run) == rewritten.path.relative_to(run.path).as_posix()


def test_the_newest_is_told_by_its_number_and_not_by_its_name(run):
    store = CheckpointStore(run, keep=1)
    for step in (999_999, 1_000_000):
        announce(run, store.write(step, filler))
    store.prune()
    assert last_verified_checkpoint(run) == "checkpoints/step-1000000"
