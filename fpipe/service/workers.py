"""Work spread over spawned processes: results in the order of the tasks, and a process that dies is not the end."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 4
"""Tasks in hand for every worker: enough to keep them busy, few enough to hold in memory."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def spread(
    work: Callable[[Task], Result], tasks: Iterable[Task], jobs: int, died: Callable[[Task], Result]
) -> Generator[tuple[Task, Result], None, None]:
    """Yield every task with its result, in the order of the tasks.

    work : a module's function; runs in this process where jobs is 1.  What it raises is raised here
    died : the result of a task on which a process dies twice, the second time alone
    """
    if jobs == 1:
        for task in tasks:
            yield task, work(task)
        return
    pool = _Pool(work, jobs)
    waiting: deque[tuple[Task, Future[Result] | None]] = deque()
    try:
        for task in tasks:
            waiting.append((task, pool.submit(task)))
            if len(waiting) >= _AHEAD * jobs:
                yield _next(pool, waiting, died)
        while waiting:
            yield _next(pool, waiting, died)
    finally:
        pool.close()


def _next(
    pool: _Pool[Task, Result],
    waiting: deque[tuple[Task, Future[Result] | None]],
    died: Callable[[Task], Result],
) -> tuple[Task, Result]:
    task, future = waiting.popleft()
    if future is not None:
        try:
            return task, future.result()
        except BrokenProcessPool:
            # One of the tasks in hand killed its process and took the others' with it: each is done again, this one
            # alone, so that the guilty one is found.
            pool.restart()
            for i, (other, unfinished) in enumerate(waiting):
                if not _succeeded(unfinished):
                    waiting[i] = (other, None)
    return task, pool.alone(task, died)


def _succeeded(future: Future[Result] | None) -> bool:
    return future is not None and future.done() and not future.cancelled() and future.exception() is None


class _Pool(Generic[Task, Result]):
    def __init__(self, work: Callable[[Task], Result], jobs: int) -> None:
        self._work = work
        self._jobs = jobs
        self._pool = _started(jobs)

    def submit(self, task: Task) -> Future[Result] | None:
        """None where the pool is found dead: the task is then done alone."""
        try:
            return self._pool.submit(self._work, task)
        except BrokenProcessPool:
            return None

    def alone(self, task: Task, died: Callable[[Task], Result]) -> Result:
        """In a process of its own."""
        with _started(1) as pool:
            try:
                return pool.submit(self._work, task).result()
            except BrokenProcessPool:
                return died(task)

    def restart(self) -> None:
        """Fresh processes."""
        self.close()
        self._pool = _started(self._jobs)

    def close(self) -> None:
        """End the processes at once: nothing they could still be doing is wanted."""
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


def _started(jobs: int) -> ProcessPoolExecutor:
    for name in _ONE_THREAD:  # read by the libraries when a spawned process imports them
        os.environ.setdefault(name, "1")
    return ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_set_up_process)


def _set_up_process() -> None:
    """Ctrl-C is the parent's business; without the parent there is nothing to do; one thread, as many processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
