"""What torch has to be told once a process, so that it computes the same each time."""

import torch


def settle_first_call() -> None:
    """Have one thread make the first call of MKL's functions of single numbers, such as the cosine.

    At that call they find out which variant suits the processor. Threads that make it together may get a less exact
    one for that call: of 108 processes whose first such operation was a cosine of two threads, three had values in it
    that were off by 1.5e-4, and of 120 that computed one number first, none. The cosine turns queries and keys, so a
    run that met this had other weights than all its repetitions.
    """
    torch.cos(torch.zeros(1))
