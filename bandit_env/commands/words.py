"""How commands say things: what a terminal cannot show, or a reader who has gone, costs words and nothing else."""

import argparse
import contextlib
import io
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

PLAIN = str.maketrans({"–": "-", "−": "-", "…": ".", "×": "x", "’": "'"})  # letter for letter: tables stay straight


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

    from bandit_env.views.shown import page_width

    return Console(width=page_width(), soft_wrap=False, highlight=False)


def print_list(lines: Iterable[str], indent: int) -> None:
    """Print a line per entry; on a terminal, those that are too long go on below, indented."""
    from bandit_env.views.shown import page_width

    width = max(page_width(otherwise=sys.maxsize), indent + 20)
    for line in lines:
        whole = textwrap.wrap(line, width, subsequent_indent=" " * indent, break_on_hyphens=False)
        print(line if len(line) <= width else "\n".join(whole))


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help in which paragraphs are filled to the terminal's width, and indented lines stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        filled = (
            part
            if part.lstrip("\n").startswith(" ") or "\n  " in part
            else textwrap.fill(part, width, break_on_hyphens=False)
            for part in text.split("\n\n")
        )
        return "\n\n".join(filled)


def complain(what: object, status: int) -> int:
    """Say on standard error what went wrong; returns the exit status."""
    print(f"bandit-env: {what}", file=sys.stderr)
    return status
