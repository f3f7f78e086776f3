"""How a command ends: refused, stopped, or by an error of ours, each with a message and an exit code."""

import os
import shlex
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import typer


class NotRun(Exception):
    """A job was made for somebody else to start, so that a verb has nothing to go on with."""


CALLING_OFF = 30
"""Seconds that a runner may take to stop a job."""
undone: list[Callable[[], object]] = []
"""How to stop what would go on without us: jobs of runners elsewhere."""


@contextmanager
def reported(debug: bool) -> Iterator[None]:
    """Turn whatever ends a verb into a message and an exit code."""
    from schemas.errors import DistillError, ResourceError
    from schemas.store import FULL

    try:
        try:
            yield
            sys.stdout.flush()
        except OSError as error:
            if error.errno not in FULL:
                raise
            sys.stdout = sys.stderr  # What it still holds cannot be written, and must not be tried again at exit.
            found = f"{error.filename or 'standard output'}: {error.strerror}"
            raise ResourceError("room to write", found, "free space, or write elsewhere") from None
    except DistillError as error:
        if debug:
            traceback.print_exc()
        from pipelines.printable import printable

        # What the parts quote may come from data: labels and paths with characters that turn a line around.
        print(f"distill: refused\n{type(error)(*map(printable, error.args))}", file=sys.stderr)
        raise typer.Exit(error.code) from None
    except NotRun as made:
        print(made)
        raise typer.Exit(0) from None
    except BrokenPipeError:
        # The reader of our output is gone; a second error at exit would only confuse.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(141) from None
    except Exception as error:
        end_children()
        if debug:
            traceback.print_exc()
        print(f"distill: an error of ours: {type(error).__name__}: {str(error)[:500]}", file=sys.stderr)
        print(f"please send {written_down(traceback.format_exc())}", file=sys.stderr)
        raise typer.Exit(1) from None


def written_down(text: str) -> Path:
    """Write a text where the user stands, or else where temporary files lie; return the file."""
    path = Path("distill-error.txt").resolve()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError:
        path = Path(tempfile.mkstemp(prefix="distill-error-", suffix=".txt")[1])
        path.write_text(text, encoding="utf-8")
    return path


def end_children() -> None:
    """End the worker processes of a local runner."""
    import psutil

    children = psutil.Process().children(recursive=True)
    for child in children:
        # It may have been told to stop, too, and be gone.
        with suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(children, timeout=5)


@contextmanager
def called_off(cancel: Callable[[], object]) -> Iterator[None]:
    """Have something called off if we are stopped inside the block."""
    undone.append(cancel)
    try:
        yield
    finally:
        undone.remove(cancel)


def call_off() -> None:
    """Call off what is going on elsewhere; a runner that does not answer is not waited for."""
    for cancel in list(undone):
        thread = threading.Thread(target=quietly, args=(cancel,), daemon=True)
        thread.start()
        thread.join(timeout=CALLING_OFF)


def quietly(cancel: Callable[[], object]) -> None:
    """Call something off; a runner that is gone, or done, has nothing to call off."""
    with suppress(Exception):
        cancel()


def stop_on(*numbers: signal.Signals) -> None:
    """End at once when asked to: everything stored survives that, and no runner or lock can hold us up.

    A thread of its own does it. A handler runs in the main thread, which may just have begun to wait for a lock that
    nobody will ever release.
    """
    heard, said = os.pipe()
    os.set_blocking(said, False)
    wanted = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    for number in wanted:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(said, warn_on_full_buffer=False)
    terminal = os.dup(2)

    def listen() -> None:
        while (number := os.read(heard, 1)[0]) not in wanted:
            pass
        call_off()
        end_children()
        again = shlex.join(["distill", *sys.argv[1:]])
        with suppress(OSError):
            os.write(terminal, f"\ndistill: stopped; what is finished is kept. To go on:\n  {again}\n".encode())
        os._exit(128 + number)

    threading.Thread(target=listen, name="stop", daemon=True).start()
