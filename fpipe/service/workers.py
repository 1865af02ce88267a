"""Work spread over spawned processes: results in the order of the tasks; a process that dies or hangs is not the end.

Each process has a thread here that hands it one task at a time over a pipe.  So it is known which task killed a
process or took too long, and no process waits while the results before its own are being stored.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 4
"""Tasks in hand for every worker: enough to keep them busy, few enough to hold in memory."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_TICK_S = 0.2
"""How often a wait for a result looks whether it is still wanted."""


class Stop:
    """A request to end, made by another thread or a signal's handler while the work goes on.

    Asked once, what was begun is finished and nothing more is begun; asked again, the work is broken off.
    """

    def __init__(self) -> None:
        self._times = 0

    def ask(self) -> None:
        """Once more."""
        self._times += 1

    @property
    def asked(self) -> bool:
        """Whether nothing more is to be begun."""
        return self._times > 0

    @property
    def at_once(self) -> bool:
        """Whether the work is to be broken off."""
        return self._times > 1


def spread(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    jobs: int,
    died: Callable[[Task], Result],
    *,
    ready: Callable[[Task], Result | None] = lambda task: None,
    seconds: float | None = None,
    overdue: Callable[[Task], Result] | None = None,
    stop: Stop | None = None,
) -> Generator[tuple[Task, Result], None, None]:
    """Yield every task with its result, in the order of the tasks.

    work : a module's function; runs in this process where jobs is 1 and there is no time limit.  What it raises is
        raised here
    died : the result of a task on which a process dies twice
    ready : a task's result where there is nothing to do for it
    seconds : a task may take; its process is killed then, and ``overdue`` gives its result
    stop : ends the work early; raises KeyboardInterrupt where it is broken off, which the work in this process never
        is: it ends with the task at hand, however often it is asked
    """
    stop = stop or Stop()
    if jobs == 1 and seconds is None:
        for task in tasks:
            if stop.asked:
                return
            known = ready(task)
            yield task, work(task) if known is None else known
        return
    pool = _Pool(work, jobs, died, seconds, overdue or died, stop)
    waiting: deque[tuple[Task, Future[Result]]] = deque()
    try:
        for task in tasks:
            waiting.append((task, pool.submit(task, ready(task))))
            while waiting and (len(waiting) >= _AHEAD * jobs or waiting[0][1].done()):
                yield _next(waiting, stop)
            if stop.asked:
                break
        while waiting:
            yield _next(waiting, stop)
    except _NotBegun:
        return
    finally:
        pool.close()


def _next(waiting: deque[tuple[Task, Future[Result]]], stop: Stop) -> tuple[Task, Result]:
    task, future = waiting.popleft()
    while not future.done():
        if stop.at_once:
            raise KeyboardInterrupt
        try:
            future.exception(_TICK_S)  # on Windows a wait without an end can't be interrupted
        except TimeoutError:
            continue
    return task, future.result()


class _NotBegun(Exception):
    """A task that was still waiting when the end was asked for."""


class _Died(Exception):
    """A worker's process ended in the middle of a task."""


class _Overdue(Exception):
    """A task took too long."""


class _Pool(Generic[Task, Result]):
    """Threads, each with a process of its own from the idle ones while it waits for a task's result."""

    def __init__(
        self,
        work: Callable[[Task], Result],
        jobs: int,
        died: Callable[[Task], Result],
        seconds: float | None,
        overdue: Callable[[Task], Result],
        stop: Stop,
    ) -> None:
        self._work, self._died, self._seconds, self._overdue, self._stop = work, died, seconds, overdue, stop
        self._closing = False
        self._lock = threading.Lock()
        self._children = set[_Child[Task, Result]]()
        self._idle: SimpleQueue[_Child[Task, Result] | None] = SimpleQueue()
        for _ in range(jobs):
            self._idle.put(None)  # started when there is something to do
        self._threads = ThreadPoolExecutor(jobs)

    def submit(self, task: Task, known: Result | None) -> Future[Result]:
        """The result to be."""
        if known is None:
            return self._threads.submit(self._do, task)
        future: Future[Result] = Future()
        future.set_result(known)
        return future

    def _do(self, task: Task) -> Result:
        if self._stop.asked or self._closing:
            raise _NotBegun
        try:
            return self._attempt(task)
        except _Died:
            pass  # by what others did to it, perhaps: the system was short of memory
        except _Overdue:
            return self._overdue(task)
        try:
            return self._attempt(task)
        except _Died:
            return self._died(task)
        except _Overdue:
            return self._overdue(task)

    def _attempt(self, task: Task) -> Result:
        child = self._idle.get()
        try:
            child = child or self._start()
            return child.do(task, self._seconds)
        except (_Died, _Overdue):
            if child is not None:
                self._end(child)
            child = None
            raise
        finally:
            self._idle.put(child)

    def _start(self) -> _Child[Task, Result]:
        with self._lock:
            if self._closing:
                raise _NotBegun
            child = _Child(self._work)
            self._children.add(child)
        return child

    def _end(self, child: _Child[Task, Result]) -> None:
        with self._lock:
            self._children.discard(child)
            child.end()

    def close(self) -> None:
        """End the processes at once: nothing they could still be doing is wanted."""
        with self._lock:
            self._closing = True
            for child in self._children:
                child.kill()
        self._threads.shutdown(cancel_futures=True)
        for child in self._children:
            child.end()


class _Child(Generic[Task, Result]):
    """One spawned process, and the pipe to it."""

    def __init__(self, work: Callable[[Task], Result]) -> None:
        context = get_context("spawn")
        self._pipe, there = context.Pipe()
        for name in _ONE_THREAD:  # read by the libraries when the process imports them
            os.environ.setdefault(name, "1")
        self._process = context.Process(target=_serve, args=(there, work), daemon=True)
        with _interrupts_held():
            self._process.start()
        there.close()
        self._begun = False

    def do(self, task: Task, seconds: float | None) -> Result:
        """A task's result.

        Raises what the work raises, _Died, _Overdue.
        """
        if not self._begun:
            self._received(None)  # it has set itself up, however slow that was
            self._begun = True
        try:
            self._pipe.send(task)
        except OSError as error:
            raise _Died from error
        result: Result = self._received(seconds)
        return result

    def _received(self, seconds: float | None) -> Any:
        try:
            if not self._pipe.poll(seconds):
                raise _Overdue
            done, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise _Died from error
        if not done:
            raise value
        return value

    def kill(self) -> None:
        """Whatever it is doing; who waits for it gets _Died."""
        self._process.kill()

    def end(self) -> None:
        """Kill it and clear it away."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()


class _interrupts_held:  # noqa: N801 - used like a function
    """A process started inside is not ended by a Ctrl-C that comes before it can look after itself."""

    def __enter__(self) -> None:
        if sys.platform != "win32":
            self._before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def __exit__(self, *_: object) -> None:
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """A worker's life: tasks in, results out, until the pipe ends."""
    _set_up_process()
    with contextlib.suppress(EOFError, ConnectionError):  # the parent has ended, or was killed
        pipe.send((True, None))
        while True:
            task = pipe.recv()
            try:
                answer = True, work(task)
            except Exception as error:  # noqa: BLE001 - raised where the result is wanted
                answer = False, error
            pipe.send(answer)


def _set_up_process() -> None:
    """Ctrl-C is the parent's business; without the parent there is nothing to do; one thread, as many processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
