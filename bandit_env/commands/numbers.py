"""Numbers as people type them: fractions and percentages."""

from bandit_env.errors import ExperimentError


def rate(text: str, option: str, what: str = "a rate") -> float:
    """The number that a text such as "0.012" or "1.2%" stands for.

    Args:
        text: what was typed.
        option: where, for the message.
        what: what was expected.

    Raises:
        ExperimentError: not a number.

    >>> rate("1.2%", "--baseline"), rate("0.05", "--alpha")
    (0.012, 0.05)
    """
    number = text.strip().removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        raise ExperimentError(f"{option}: found {text!r}; expected {what}, such as 0.04 or 4%") from None
    if not number.strip() or value in (float("inf"), -float("inf")):
        raise ExperimentError(f"{option}: found {text!r}; expected {what}, such as 0.04 or 4%")
    return float(f"{value}e-2") if number != text.strip() else value
