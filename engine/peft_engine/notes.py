"""What a person says about a run, kept in its directory: tags, a text, and that it shall stay."""

from pydantic import ValidationError

from peft_engine.files import write_atomic
from peft_engine.rundir import RunDirectory
from peft_schemas.records import RunNotes

FILE = "notes.json"


def read_notes(run: RunDirectory) -> RunNotes:
    """Return the notes; those of a missing file are empty, and a damaged one keeps the run pinned.

    Nobody can tell what a damaged file said, and what may have been pinned must not be cleaned up.
    """
    try:
        return RunNotes.model_validate_json((run.path / FILE).read_bytes())
    except FileNotFoundError:
        return RunNotes()
    except (OSError, ValidationError):
        return RunNotes(pinned=True)


def write_notes(run: RunDirectory, notes: RunNotes) -> None:
    """Replace the notes."""
    write_atomic(run.path / FILE, notes.model_dump_json(indent=2) + "\n")
