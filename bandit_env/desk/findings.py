"""What is found on the way and said in words."""

from dataclasses import dataclass

SHORT = 60  # letters of a name in a sentence


def quote(name: str) -> str:
    """A name in quotes, on one line and not too long."""
    line = " ".join(name.split())
    return f"“{line if len(line) <= SHORT else line[: SHORT - 1] + '…'}”"


def p_value(value: float) -> str:
    """A p-value in a sentence: "p = 0.02"."""
    return f"p = {value:.2g}" if value >= 1e-12 else "p < 1e-12"


@dataclass(frozen=True)
class Check:
    """Something about the data that bites.

    Attributes:
        check: which check it is, such as "sample ratio".
        message: what was found, in a sentence or two.
        p_value: where the check is a test.
    """

    check: str
    message: str
    p_value: float | None = None

    def to_dict(self) -> dict[str, str | float]:
        """As JSON holds it."""
        said: dict[str, str | float] = {"check": self.check, "message": self.message}
        return said if self.p_value is None else said | {"p_value": self.p_value}
