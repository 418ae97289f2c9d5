"""HTTP for programs of this user on this machine, and for nobody else. Needs the `serve` extra."""
