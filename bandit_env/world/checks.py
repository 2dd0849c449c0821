"""Values that users pass, checked one by one: what came, what was expected, where."""

import math
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_rates(name: str, rates: ArrayLike) -> NDArray[np.float64]:
    """Rates as float64, of any shape.

    Raises:
        ValueError: not numbers, or a rate outside [0, 1]; says which and where.
    """
    array = numbers(name, rates)
    outside = ~((array >= 0) & (array <= 1))  # True for NaN
    if outside.any():
        where = tuple(np.argwhere(outside)[0].tolist())
        raise ValueError(f"{name}{list(where) or ''} is {array[where]}; expected a rate in [0, 1]")
    return array


def whole_number(name: str, value: object, least: int) -> int:
    """`value` as an int, where it is a whole number of at least `least`; 1e6 will do, True will not.

    Raises:
        ValueError: names the argument, what came and what was expected.
    """
    number = _finite(value)
    if number is not None and number == int(number) and number >= least:
        return int(number)
    raise ValueError(f"{name} is {value!r}; expected a whole number of at least {least}")


def one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    """Raise a ValueError that names what is allowed, unless `value` is among it."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, allowed))}")


def number(name: str, value: object) -> float:
    """`value` where it is a finite number; True is not.

    Raises:
        ValueError: names the argument and what came.
    """
    found = _finite(value)
    if found is None:
        raise ValueError(f"{name} is {value!r}; expected a finite number")
    return found


def _finite(value: object) -> int | float | None:
    """A whole number as int, another finite number as float, and None for anything else; True is no number."""
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) and math.isfinite(value) else None


def numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """`values` as float64, of any shape, where they are numbers and nothing that float() would take besides.

    Raises:
        ValueError: names the argument and what came.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":  # neither text nor bool, which float() would take
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {values!r}; expected numbers") from None


def seven_factors(name: str, values: object) -> tuple[float, ...]:
    """Seven factors of at least 0, not all 0, one for each day of the week.

    Raises:
        ValueError: names the argument, what came and what was expected.
    """
    factors = numbers(name, values)  # type: ignore[arg-type]
    if factors.shape != (7,):
        came = f"{factors.size} numbers" if factors.ndim == 1 else f"an array of shape {factors.shape}"
        raise ValueError(f"{name} has {came}; expected seven, one for each day of the week")
    if (bad := ~(np.isfinite(factors) & (factors >= 0))).any():
        raise ValueError(f"{name}[{bad.argmax()}] is {factors[bad][0]:g}; expected a number of at least 0")
    if not factors.any():
        raise ValueError(f"{name} is 0 on every day; expected one above 0")
    return tuple(factors.tolist())
