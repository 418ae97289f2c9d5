"""Moving a whole experiment, and refusing what is none."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from peft_daemon.runs.bundle import export_run, import_run
from peft_daemon.runs.store import find_runs, list_artifacts, read_series
from peft_engine.cancelling import Cancelled
from peft_engine.home import home as state_folder
from peft_engine.notes import read_notes, write_notes
from peft_engine.rundir import RunDirectory, list_runs
from peft_engine.versions import claim_version, read_version
from peft_schemas.errors import WorkbenchError
from peft_schemas.records import RunNotes, RunQuery, SeriesParams

MakeRun = Callable[..., RunDirectory]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Go to another machine, whose store is empty."""
    return lambda: monkeypatch.setenv("PEFTW_HOME", str(tmp_path / "elsewhere"))


def records(run_id: str) -> dict[str, Any]:
    """Everything that is known of a run, but where it lies."""
    (summary,) = [run for run in find_runs(RunQuery()).runs if run.id == run_id]
    run = RunDirectory(Path(summary.directory))
    return {
        "summary": summary.model_dump(exclude={"directory"}),
        "series": read_series(SeriesParams(run_id=run_id)),
        "notes": read_notes(run),
        "version": read_version(run),
        "files": list_artifacts(run_id),
        "texts": [file.read_text() for file in (run.source, run.resolved, run.environment, run.events)],
    }


@pytest.mark.parametrize("ending", ["tar.gz", "tgz", "zip"])
def test_H8_an_experiment_that_is_exported_and_imported_into_an_empty_store_is_equal(
    make_run: MakeRun, tmp_path: Path, elsewhere: Callable[[], None], ending: str
) -> None:
    run = make_run(losses=[3.0, None, 0.25])
    claim_version(run)
    write_notes(run, RunNotes(pinned=True, tags=["best"], text="The one that worked.\n"))
    (run.checkpoints / "step-000002").mkdir(parents=True)
    (run.checkpoints / "step-000002" / "weights").write_bytes(bytes(10))
    before = records(run.id)
    bundle = tmp_path / f"demo.{ending}"
    export_run(run, bundle)
    elsewhere()
    imported = import_run(bundle)
    assert imported.id == run.id
    assert records(imported.id) == before
    assert not imported.checkpoints.exists()
    assert imported.read_manifest() == imported.hash_artifacts([imported.adapter])


def test_H8_checkpoints_come_along_when_asked_for(
    make_run: MakeRun, tmp_path: Path, elsewhere: Callable[[], None]
) -> None:
    run = make_run(state="stopped")
    (run.checkpoints / "step-000002").mkdir(parents=True)
    (run.checkpoints / "step-000002" / "weights").write_bytes(b"weights")
    export_run(run, tmp_path / "demo.zip", checkpoints=True)
    elsewhere()
    assert (import_run(tmp_path / "demo.zip").checkpoints / "step-000002" / "weights").read_bytes() == b"weights"


def test_H8_ids_and_versions_do_not_collide(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    first = claim_version(run)
    export_run(run, tmp_path / "demo.tar.gz")
    again = import_run(tmp_path / "demo.tar.gz")
    assert (run.id, again.id) == ("demo-1", "demo-2")
    assert again.read_state().run_id == again.id
    second = read_version(again)
    assert first is not None and second is not None
    assert (first.version, second.version, second.run_id) == ("1.0.0", "1.0.1", again.id)
    assert read_version(run) == first


@pytest.mark.parametrize(
    "file",
    [
        *("config.peft.yaml", "config.resolved.json", "environment.json", "events.jsonl", "notes.json"),
        *("worker.log", "adapter/README.md", "adapter/chat_template.jinja", "adapter/deeper/settings.json"),
    ],
)
def test_H8_nothing_that_looks_like_a_key_leaves(make_run: MakeRun, tmp_path: Path, file: str) -> None:
    run = make_run()
    secret = "hf_" + "a1" * 20
    path = run.path / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as kept:
        kept.write(f"# logging in with {secret}\n")
    with pytest.raises(WorkbenchError) as refused:
        export_run(run, tmp_path / "demo.zip")
    assert refused.value.code == "bundle-invalid"
    assert file.rpartition("/")[2] in refused.value.message and secret not in refused.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_has_not_ended_is_not_exported(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError) as refused:
        export_run(make_run(state="paused"), tmp_path / "demo.zip")
    assert refused.value.code == "run-active"


@pytest.mark.parametrize("name", ["demo", "demo.rar", "there.zip"])
def test_a_bundle_is_written_only_to_a_new_file_of_a_known_form(make_run: MakeRun, tmp_path: Path, name: str) -> None:
    (tmp_path / "there.zip").write_text("mine")
    with pytest.raises(WorkbenchError) as refused:
        export_run(make_run(), tmp_path / name)
    assert refused.value.code == "bundle-invalid"
    assert (tmp_path / "there.zip").read_text() == "mine"


def test_what_is_linked_into_a_run_does_not_leave_with_it(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    (tmp_path / "private").write_text("private")
    (run.adapter / "link").symlink_to(tmp_path / "private")
    manifest = export_run(run, tmp_path / "demo.zip")
    assert "adapter/link" not in {file.path for file in manifest.files}


def cancelled_at(ask: int) -> Callable[[], bool]:
    """Return what says that the work is no longer wanted when it is asked for that time, and from then on."""
    asks = count()
    return lambda: next(asks) >= ask


@pytest.mark.parametrize("ending", ["tar.gz", "zip"])
def test_H8_an_export_that_is_cancelled_at_any_moment_leaves_nothing(
    make_run: MakeRun, tmp_path: Path, ending: str
) -> None:
    run, target = make_run(), tmp_path / f"demo.{ending}"
    before = sorted(path.name for path in run.path.iterdir())
    for ask in count():
        try:
            export_run(run, target, cancelled=cancelled_at(ask))
        except Cancelled:
            assert list(tmp_path.iterdir()) == []
            assert sorted(path.name for path in run.path.iterdir()) == before
        else:
            break
    assert ask > len(before), "it was asked while each file was read"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("ending", ["tar.gz", "zip"])
def test_H8_an_import_that_is_cancelled_at_any_moment_leaves_nothing(
    make_run: MakeRun, tmp_path: Path, elsewhere: Callable[[], None], ending: str
) -> None:
    bundle = tmp_path / f"demo.{ending}"
    manifest = export_run(make_run(), bundle)
    elsewhere()
    for ask in count():
        try:
            imported = import_run(bundle, cancelled=cancelled_at(ask))
        except Cancelled:
            assert list((state_folder() / "runs").iterdir()) == []
        else:
            break
    assert ask >= len(manifest.files), "it was asked while each file was read"
    assert [run.id for run in list_runs()] == [imported.id]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
@pytest.mark.parametrize("room", range(4, 14))
def test_H8_an_import_whose_disk_is_full_at_its_end_leaves_nothing(
    make_run: MakeRun, tmp_path: Path, elsewhere: Callable[[], None], room: int
) -> None:
    run, bundle = make_run(), tmp_path / "demo.zip"
    claim_version(run)
    files = {file.path for file in export_run(run, bundle).files}
    elsewhere()
    runs = state_folder() / "runs"
    runs.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size=8m,nr_inodes={room}", "tmpfs", str(runs)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a disk be mounted")
    try:
        imported = import_run(bundle)
    except WorkbenchError as error:
        assert error.code == "disk-full"
        assert list(runs.iterdir()) == []
    else:
        assert files <= {file.relative_to(imported.path).as_posix() for file in imported.path.rglob("*")}
    finally:
        subprocess.run(["umount", "-l", str(runs)], check=False)


# What must not come in.


def manifest_of(files: dict[str, bytes], **changes: Any) -> bytes:
    listed = [{"path": n, "bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()} for n, b in files.items()]
    whole = {"format": 1, "run_id": "demo-1", "name": "demo", "exported": "2026-11-22T00:00:00Z", "files": listed}
    return json.dumps({**whole, **changes}).encode()


STATE = json.dumps(
    {
        "run_id": "demo-1", "name": "demo", "state": "completed", "pid": None, "started": None, "base": "org/base",
        "created": "2026-11-22T00:00:00Z", "updated": "2026-11-22T00:00:00Z", "config_path": "/x", "step": 1,
        "total_steps": 1,
    }
).encode()  # fmt: skip


def write_tar(path: Path, files: dict[str, bytes], manifest: bytes | None, *extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        entries = {**({} if manifest is None else {"bundle.json": manifest}), **files}
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for entry in extra:
            tar.addfile(entry)
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


GOOD = {"state.json": STATE, "adapter/a": b"a"}


def test_a_bundle_made_by_hand_comes_in(home: Path, tmp_path: Path) -> None:
    assert import_run(write_tar(tmp_path / "b.tar.gz", GOOD, manifest_of(GOOD))).id == "demo-1"


def bad_bundles() -> dict[str, Callable[[Path], Path]]:
    def tar(files: dict[str, bytes], manifest: bytes | None = None, *extra: tarfile.TarInfo) -> Callable[[Path], Path]:
        return lambda folder: write_tar(folder / "b.tar.gz", files, manifest or manifest_of(files), *extra)

    def raw(content: bytes, name: str = "b.tar.gz") -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            (folder / name).write_bytes(content)
            return folder / name

        return write

    def short(folder: Path) -> Path:
        path = write_tar(folder / "b.tar.gz", GOOD, manifest_of(GOOD))
        path.write_bytes(path.read_bytes()[:-40])
        return path

    def long_header(folder: Path) -> Path:
        with tarfile.open(folder / "b.tar.gz", "w:gz") as tar:
            entry = special("name", tarfile.GNUTYPE_LONGNAME)
            entry.size = 10**7
            tar.addfile(entry, io.BytesIO(bytes(10**7)))
        return folder / "b.tar.gz"

    def zipped(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "b.zip", "w") as archive:
            archive.writestr("bundle.json", manifest_of(GOOD))
            entry = zipfile.ZipInfo("state.json")
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, "/etc/passwd")
        return folder / "b.zip"

    def traversal(name: str) -> Callable[[Path], Path]:
        return tar({**GOOD, name: b"evil"})

    other = {**GOOD, "adapter/a": b"b"}
    running = {"state.json": STATE.replace(b"completed", b"running")}
    return {
        "missing": lambda folder: folder / "nothing.tar.gz",
        "empty": raw(b""),
        "no archive": raw(b"not an archive at all" * 100),
        "gzip of no tar": raw(gzip.compress(b"x" * 10_000)),
        "cut short": short,
        "no list": lambda folder: write_tar(folder / "b.tar.gz", GOOD, None),
        "list of another form": tar(GOOD, b'{"format": 2}'),
        "list damaged": tar(GOOD, b"{"),
        "up": traversal("../evil"),
        "up from inside": traversal("adapter/../../evil"),
        "absolute": traversal("/tmp/evil"),
        "backslashes": traversal("adapter\\..\\..\\evil"),
        "a drive": traversal("adapter/c:evil"),
        "a file that no run has": traversal("bin/evil"),
        "a lock": traversal(".judge.lock"),
        "symbolic link": tar(GOOD, None, special("adapter/link", tarfile.SYMTYPE, "/etc/passwd")),
        "hard link": tar(GOOD, None, special("adapter/link", tarfile.LNKTYPE, "state.json")),
        "device": tar(GOOD, None, special("adapter/null", tarfile.CHRTYPE)),
        "folder": tar(GOOD, None, special("adapter/folder", tarfile.DIRTYPE)),
        "a header that would fill the memory": long_header,
        "link in a zip": zipped,
        "another hash": tar(other, manifest_of(GOOD)),
        "longer than listed": tar({**GOOD, "adapter/a": bytes(10**7)}, manifest_of(GOOD)),
        "not listed": tar({**GOOD, "adapter/b": b"b"}, manifest_of(GOOD)),
        "listed and missing": tar({"state.json": STATE}, manifest_of(GOOD)),
        "no state": tar({"adapter/a": b"a"}),
        "a run at work": tar(running),
        "an id with an end of line": tar(
            {**GOOD, "state.json": STATE.replace(b'"demo-1"', b'"demo-1\\n"')}, manifest_of(GOOD, run_id="demo-1\n")
        ),
        "a name that is too long for a file": tar({**GOOD, f"adapter/{'a' * 300}": b"a"}),
        "another run's state": tar(GOOD, manifest_of(GOOD, run_id="demo-2")),
        "an id that leaves the folder": tar(GOOD, manifest_of(GOOD, run_id="../demo-1", name="../demo")),
        "more than the disk has": tar(
            GOOD,
            json.dumps(
                json.loads(manifest_of(GOOD)) | {"files": [{"path": "adapter/a", "bytes": 10**18, "sha256": "0" * 64}]}
            ).encode(),
        ),
    }


@pytest.mark.parametrize(
    ("files", "changes", "unknown"),
    [
        (GOOD, {"format": 2}, "`format`"),
        (GOOD, {"signed_by": "us"}, "`signed_by`"),
        ({**GOOD, "state.json": STATE.replace(b'"step"', b'"colour": "red", "step"')}, {}, "`colour`"),
    ],
)
def test_H8_what_another_version_exported_is_said_to_be_that(
    home: Path, tmp_path: Path, files: dict[str, bytes], changes: dict[str, Any], unknown: str
) -> None:
    source = write_tar(tmp_path / "b.tar.gz", files, manifest_of(files, **changes))
    with pytest.raises(WorkbenchError, match="another version") as refused:
        import_run(source)
    assert refused.value.code == "bundle-invalid" and unknown in refused.value.message
    assert "version" in refused.value.remedy
    assert list(list_runs()) == []


@pytest.mark.parametrize(
    ("name", "said"), [("nothing.zip", "There is no file"), ("text.zip", "neither a zip"), ("folder.zip", "no file")]
)
def test_what_is_no_archive_is_said_in_words(home: Path, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "text.zip").write_text("hello")
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(WorkbenchError, match=said):
        import_run(tmp_path / name)


@pytest.mark.parametrize("place", ["nowhere/demo.zip", f"{'a' * 300}.zip", "file/demo.zip"])
def test_a_bundle_that_cannot_be_written_is_said_in_words(make_run: MakeRun, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkbenchError, match="could not be written") as refused:
        export_run(make_run(), tmp_path / place)
    assert refused.value.code == "bundle-invalid" and "Errno" not in refused.value.message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_H8_an_export_to_a_full_disk_says_so_and_leaves_nothing(
    make_run: MakeRun, tmp_path: Path, small_disk: Callable[[Path, str], None]
) -> None:
    run = make_run()
    (run.adapter / "adapter_model.safetensors").write_bytes(os.urandom(1 << 20))
    small_disk(tmp_path, "size=256k")
    with pytest.raises(WorkbenchError, match="no room") as refused:
        export_run(run, tmp_path / "demo.zip")
    assert refused.value.code == "disk-full"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_H8_a_run_on_a_full_disk_can_be_exported_to_another(
    make_run: MakeRun, tmp_path: Path, home: Path, small_disk: Callable[[Path, str], None]
) -> None:
    small_disk(home, "size=256k")
    run = make_run()
    with suppress(OSError):
        (home / "filler").write_bytes(bytes(1 << 20))
    export_run(run, tmp_path / "demo.zip")
    assert (tmp_path / "demo.zip").is_file()


@pytest.mark.parametrize("kind", bad_bundles())
def test_H8_what_is_no_whole_bundle_is_refused_and_leaves_nothing(home: Path, tmp_path: Path, kind: str) -> None:
    source = bad_bundles()[kind](tmp_path)
    with pytest.raises(WorkbenchError) as refused:
        import_run(source)
    assert refused.value.code == ("disk-full" if kind == "more than the disk has" else "bundle-invalid")
    assert kind != "a header that would fill the memory" or "header" in refused.value.message
    assert "Errno" not in refused.value.message
    assert list(list_runs()) == []
    assert not [path for path in (state_folder() / "runs").rglob("*") if path.is_file()]
    assert not (tmp_path / "evil").exists()
