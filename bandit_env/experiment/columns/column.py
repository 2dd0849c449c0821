"""What is said of a column."""

import re
from collections.abc import Sequence
from typing import NamedTuple

NUMBER = r"\d+"
PLACES = {
    "<k>": NUMBER,
    "<replication>": NUMBER,
    "<method>": "(?!true_)[a-z_]+?",
    "<quantity>": "(?:rate|difference|log_odds)",
}


class Column(NamedTuple):
    """A column of a file, or an array. `<k>` in its name stands for an arm; see PLACES for what else varies.

    Attributes:
        name: as the file has it.
        dtype: NumPy's name of the type.
        unit: of its values.
        meaning: how it is worked out, and what stands where there is none.
    """

    name: str
    dtype: str
    unit: str
    meaning: str


def defining(columns: Sequence[Column], name: str) -> Column:
    """The definition of a file's column.

    Raises:
        KeyError: none, or more than one.
    """
    found = [column for column in columns if re.fullmatch(_pattern(column.name), name)]
    if len(found) != 1:
        raise KeyError(f"{name}: found {len(found)} definitions; expected one")
    return found[0]


def _pattern(name: str) -> str:
    pattern = re.escape(name).replace(r"\<", "<").replace(r"\>", ">")
    for place, text in PLACES.items():
        pattern = pattern.replace(place, text)
    return pattern
