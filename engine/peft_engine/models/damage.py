"""Why a model's file cannot be what it says it is."""


class DamagedFile(ValueError):
    """A file contradicts itself; the message is a clause that names how, such as `its header ends too early`."""


class TruncatedFile(DamagedFile):
    """A file ends before what it announces."""
