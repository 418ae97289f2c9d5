"""Joining examples into rows of a fixed room, so that no batch is padded and short examples do not cost a row each."""

from collections.abc import Sequence
from heapq import heappop, heappush


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Join examples into rows of at most `capacity` tokens: best fit, longest example first.

    The order of the examples decides between equals, so the same input gives the same rows.

    Best fit asks for the row with the least room that still suffices. Rows are kept by their room, and the rooms that
    exist are the bits of one number, in which the next one up is found in a few machine words; so the whole takes time
    in proportion to the examples, and not to examples times rows.

    Args:
        lengths: Tokens of each example, each from 1 to `capacity`.
        capacity: Tokens of a row.

    Returns:
        For each row the indexes of its examples, in the order in which they were put there.
    """
    rows: list[list[int]] = []
    by_room: dict[int, list[int]] = {}
    rooms = 0
    for example in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        length = lengths[example]
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = heappop(by_room[room])
            if not by_room[room]:
                rooms ^= 1 << room
        else:
            room, row = capacity, len(rows)
            rows.append([])
        rows[row].append(example)
        left = room - length
        heappush(by_room.setdefault(left, []), row)
        rooms |= 1 << left
    return rows
