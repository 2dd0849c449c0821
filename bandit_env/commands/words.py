"""How commands say things: what a terminal cannot show, or a reader who has gone, costs words and nothing else."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

PLAIN = str.maketrans({"–": "-", "−": "-", "…": ".", "×": "x", "’": "'"})  # letter for letter: tables stay straight
FILE_WIDTH = 160  # letters; a pipe or a file has no width of its own, and tables are not squeezed into 80 there


class Words(io.TextIOBase):
    """A text stream over another that may fail, or not be there at all.

    Attributes:
        lost: why words were lost, for good; None while all is well.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.lost: Exception | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's own."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Whether somebody sits before it."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def fileno(self) -> int:
        """The stream's own."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write what can be encoded, and a question mark for what cannot."""
        if self._stream is not None and self.lost is None:
            try:
                self._stream.write(self._encodable(text))
            except (OSError, ValueError) as error:  # ValueError: closed
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Pass on what is kept back."""
        if self._stream is not None and self.lost is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._lose(error)

    def _encodable(self, text: str) -> str:
        if getattr(self._stream, "errors", "strict") not in ("strict", None):  # it has a way of its own
            return text
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.translate(PLAIN).encode(self.encoding, "replace").decode(self.encoding)
        return text

    def _lose(self, error: Exception) -> None:
        """Let what the stream keeps back go nowhere, or Python would complain of it once more at its end."""
        self.lost = error
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def lossless() -> Iterator[Words]:
    """Within the block, `print` and all else that is said costs words at the most; yields standard output."""
    out, err = Words(sys.stdout), Words(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield out
        finally:
            out.flush()
            err.flush()


def open_closed_streams() -> None:
    """Open nowhere in place of standard streams that are closed; or the next file to be opened would become one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one


def console() -> "Console":
    """Where tables go: standard output."""
    from rich.console import Console

    told = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if told else FILE_WIDTH, soft_wrap=False, highlight=False)


def complain(what: object, status: int) -> int:
    """Say on standard error what went wrong; returns the exit status."""
    print(f"bandit-env: {what}", file=sys.stderr)
    return status
