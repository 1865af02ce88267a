"""Work in spawned processes: order, errors, deaths."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing import Pipe
from pathlib import Path

import pytest

from fpipe.core.errors import EmptyFile
from fpipe.service import workers
from fpipe.service.workers import Stop, spread


def square(number: int) -> int:
    time.sleep(0.02 * (number % 3))
    return number * number


def deadly(number: int) -> int:
    if number in (3, 7):
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def deadly_once(task: tuple[int, str]) -> int:
    number, marker = task
    if number == 2 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refusing(number: int) -> int:
    if number == 2:
        raise EmptyFile(where="here")
    return number


def died(task: object) -> int:
    return -1


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_tasks(jobs: int) -> None:
    assert list(spread(square, range(12), jobs, died)) == [(n, n * n) for n in range(12)]
    assert list(spread(square, [], jobs, died)) == []


def test_a_task_that_kills_its_process_is_found_and_the_others_are_done() -> None:
    assert list(spread(deadly, range(12), 2, died)) == [(n, -1 if n in (3, 7) else n) for n in range(12)]


def test_a_death_that_does_not_come_again_is_forgiven(tmp_path: Path) -> None:
    tasks = [(number, str(tmp_path / "died")) for number in range(6)]
    assert [result for _, result in spread(deadly_once, tasks, 2, died)] == list(range(6))


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_the_work_raises_is_raised(jobs: int) -> None:
    with pytest.raises(EmptyFile, match="here"):
        list(spread(refusing, range(5), jobs, died))


def test_leaving_early_ends_the_processes() -> None:
    results = spread(square, iter(range(10**9)), 2, died)
    assert next(results) == (0, 0)
    results.close()


def hanging_long(number: int) -> int:
    time.sleep(3600)
    return number


def hanging(number: int) -> int:
    while number in (2, 5):
        time.sleep(1)
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_task_that_takes_too_long_is_ended_and_the_others_are_done(jobs: int) -> None:
    done = list(spread(hanging, range(7), jobs, died, seconds=1.0, overdue=lambda task: -2))
    assert done == [(n, -2 if n in (2, 5) else n) for n in range(7)]


def test_what_needs_no_work_is_not_handed_out() -> None:
    tasks = [0, 3, 7, 1]
    results = spread(deadly, tasks, 2, died, ready=lambda task: 100 + task if task in (3, 7) else None)
    assert list(results) == [(0, 0), (3, 103), (7, 107), (1, 1)]


@pytest.mark.parametrize(("jobs", "seconds"), [(1, None), (1, 60.0), (2, 60.0)])
def test_asked_to_stop_it_finishes_what_was_begun(jobs: int, seconds: float | None) -> None:
    stop, done = Stop(), []
    for task, result in spread(square, iter(range(10**9)), jobs, died, seconds=seconds, stop=stop):
        assert result == task * task
        done.append(task)
        if len(done) == 5:
            stop.ask()
    assert done == list(range(len(done)))
    assert 5 <= len(done) <= 5 + 4 * jobs


def test_asked_again_it_breaks_off() -> None:
    stop = Stop()
    for delay in (1.0, 1.5):
        threading.Timer(delay, stop.ask).start()
    with pytest.raises(KeyboardInterrupt):
        list(spread(hanging_long, [2], 1, died, seconds=3600.0, stop=stop))


@pytest.mark.parametrize("during", ["work", "rest"])
def test_a_worker_whose_parent_was_killed_ends_in_silence(during: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_set_up_process", lambda: None)  # what it does is this process's own business
    ours, theirs = Pipe()

    def work(task: int) -> int:
        ours.close()
        return task

    if during == "work":
        ours.send(1)
    else:
        threading.Timer(0.2, ours.close).start()
    workers._serve(theirs, work)
