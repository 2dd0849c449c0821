"""Ctrl-C ends a command within two seconds, whatever it is doing, with a word on how to go on.

The first Ctrl-C raises KeyboardInterrupt in the main thread, so that workers end and the terminal is put right;
further ones would only disturb that, and are dropped. This is not enough: an exception is lost in callbacks from C
(LLVM's while it compiles) and in destructors, it comes out as another (`RuntimeError: no compiled object yet`), and it
may strike where something then waits for ever. So a thread watches, and ends the process `GRACE` seconds later come
what may. Nothing is lost by that: files are written whole or not at all, and workers end with this process.
"""

import _thread
import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

GRACE = 1.0  # seconds from Ctrl-C to the end, at the most
STATUS = 130  # of a process that Ctrl-C ended, as shells have it: 128 + SIGINT
SHOW_CURSOR = "\x1b[?25h"  # which a progress bar hides

_advice = ["interrupted"]


def advise(text: str) -> None:
    """Say this, from now on, when Ctrl-C comes: what is kept, and how to go on."""
    _advice[0] = text


def advice() -> str:
    """What is to be said when Ctrl-C came."""
    return _advice[0]


class CtrlC:
    """What has become of Ctrl-C.

    Attributes:
        came: it was pressed.
        said: the user has been told.
        done: the exit status, once there is nothing left to interrupt.
    """

    def __init__(self) -> None:
        self.came, self.said = False, False
        self.done: int | None = None
        self._again = False
        self._stopped = threading.Event()
        self._pipe: int | None = None

    def listen(self) -> None:
        """Hear Ctrl-C from now on; unless it is ignored here, as in the background of a script."""
        self._before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or self._before in (None, signal.SIG_IGN):
            return
        read, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        threading.Thread(target=self._watch, args=(read,), daemon=True, name="Ctrl-C").start()
        self._hooks = sys.unraisablehook, threading.excepthook
        sys.unraisablehook, threading.excepthook = self._unraisable, self._raised_in_a_thread
        self._wakeup = signal.set_wakeup_fd(self._pipe, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self._handle)

    def stop(self) -> None:
        """Leave all as it was before `listen`."""
        if self._pipe is None:
            return
        signal.signal(signal.SIGINT, self._before)
        signal.set_wakeup_fd(self._wakeup)
        sys.unraisablehook, threading.excepthook = self._hooks
        self._stopped.set()
        os.close(self._pipe)

    def _handle(self, number: int, frame: Any) -> None:
        if self.done is not None or (self.came and not self._again):
            return
        self.came, self._again = True, False
        raise KeyboardInterrupt

    def _unraisable(self, dropped: "sys.UnraisableHookArgs", /) -> None:
        if dropped.exc_type is KeyboardInterrupt:  # Python has dropped it: raise it again, but not from in here
            threading.Timer(0.05, self._raise_again).start()
        elif not self.came:  # what breaks after it is no news
            self._hooks[0](dropped)

    def _raised_in_a_thread(self, raised: "threading.ExceptHookArgs", /) -> None:
        if not self.came:
            self._hooks[1](raised)

    def _raise_again(self) -> None:
        self._again = True
        _thread.interrupt_main()

    def _watch(self, pipe: int) -> None:
        """Hear of the signal at once, as C code writes its number to the pipe, and end the process in time."""
        with os.fdopen(pipe, "rb", buffering=0) as numbers:
            while (number := numbers.read(1)) != bytes([signal.SIGINT]):
                if not number:
                    return
            if not self._stopped.wait(GRACE):
                self._end()

    def _end(self) -> None:
        if self.done is None and not self.said:
            cursor = SHOW_CURSOR if os.isatty(2) else ""
            with contextlib.suppress(OSError):
                os.write(2, f"{cursor}\nbandit-env: {advice()}\n".encode(errors="replace"))
        os._exit(STATUS if self.done is None else self.done)


def leave(status: int) -> NoReturn:
    """End the process without taking Python apart, piece by piece, which takes a second of a busy machine."""
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()  # what others want put in order: multiprocessing's temporary folder
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


@contextlib.contextmanager
def heard() -> Iterator[CtrlC]:
    """Hear Ctrl-C within the block."""
    advise("interrupted")
    ctrl_c = CtrlC()
    ctrl_c.listen()
    try:
        yield ctrl_c
    finally:
        ctrl_c.stop()
