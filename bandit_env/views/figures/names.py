"""What follows from names: an agent's colour, and its short form beside a line."""

import re
import zlib
from collections.abc import Sequence
from itertools import takewhile

from bandit_env.views.canvas import MAX_NAME, PALETTE

OWN = (
    "thompson",
    "epsilon-greedy",
    "uniform-classical",
    "ucb1",
    "kl-ucb",
    "bayes-ucb",
    "uniform",
    "gittins",
    "learned",
)
"""Agents that have the palette's first colours, in its order, wherever they appear; others' follow from their names."""


def colours(names: Sequence[str]) -> dict[str, str]:
    """Each agent's colour. It follows from the name, so that an agent has the same one in every run.

    Only where another agent of the run has it already is the next one taken: built-in names choose first, then the
    others, in their order. Beyond as many names as there are colours these are used again.
    """
    chosen: dict[str, int] = {}
    for name in sorted(dict.fromkeys(names), key=lambda name: name not in OWN):
        used = list(chosen.values())
        chosen[name] = min(_wanted(name), key=used.count)  # the first of those used least
    return {name: PALETTE[chosen[name]] for name in names}


def _wanted(name: str) -> list[int]:
    """The palette's places in the order in which a name wants them."""
    order = sorted(range(len(PALETTE)), key=lambda place: zlib.crc32(f"{place}, {name}".encode(errors="replace")))
    return [OWN.index(name), *order] if name in OWN else order


def shorten(names: Sequence[str]) -> dict[str, str]:
    """Names as they stand beside lines, no two alike: long ones are cut where they do not differ from the others.

    Words that all long names have in the same place go first, from the longest run of them; what is still too long
    loses letters beside the place where it differs from its nearest neighbour.
    """
    long = [name for name in dict.fromkeys(names) if len(name) > MAX_NAME]
    shown = {name: name for name in names} | dict(zip(long, _without_common_words(long)))
    whole = dict(shown)
    for name in long:
        if len(shown[name]) > MAX_NAME:
            others = [whole[other] for other in shown if other != name]
            shown[name] = _around(shown[name], _differs_at(shown[name], others))
    seen: dict[str, int] = {}
    for name, text in shown.items():
        seen[text] = seen.get(text, 0) + 1
        if seen[text] > 1:
            shown[name] = f"{text} ({seen[text]})"
    return shown


def _without_common_words(names: Sequence[str]) -> list[str]:
    """Names without the longest run of words that they all have in the same places."""
    words = [re.findall(r"\S+\s*", name) for name in names]
    if len(names) < 2 or len({len(one) for one in words}) > 1:
        return list(names)
    common = [len(set(column)) == 1 for column in zip(*words)]
    runs = [match.span() for match in re.finditer("y+", "".join("ny"[is_common] for is_common in common))]
    if not runs:
        return list(names)
    start, end = max(runs, key=lambda run: sum(map(len, words[0][run[0] : run[1]])))
    return ["".join((*one[:start], "… " if end < len(one) else "…", *one[end:])) for one in words]


def _differs_at(name: str, others: Sequence[str]) -> int:
    """Where a name differs from the one that is like it for the longest."""
    lengths = [sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(name, other))) for other in others]
    return min(max(lengths, default=len(name)), len(name) - 1)


def _around(name: str, place: int) -> str:
    """The beginning of a name, and what stands around a place in it."""
    head = name[: MAX_NAME // 3]
    if place < MAX_NAME // 2:
        return f"{name[: MAX_NAME // 2]}…{name[1 - MAX_NAME // 2 :]}"
    if place < MAX_NAME - 1:
        return f"{name[: MAX_NAME - 1]}…"
    room = MAX_NAME - len(head) - 2
    start = min(max(place - room // 3, len(head)), len(name) - room)
    rest = name[start : start + room]
    return f"{head}…{rest}" + ("…" if start + room < len(name) else name[start + room : start + room + 1])
