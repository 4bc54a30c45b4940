"""Somebody else's work: ``stalling_machine.py BUSY_S PERIOD_S`` takes every core for BUSY_S in each PERIOD_S.

With real-time priority, so that for so long nothing else runs at all. Ends when standard input closes.
"""

import os
import sys
import threading
import time

busy_s, period_s = map(float, sys.argv[1:])
ended = threading.Event()


def take(core: int) -> None:
    """Spin on one core at the same moments as the others."""
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    while os.getppid() == parent:
        due = (time.monotonic() // period_s + 1) * period_s
        time.sleep(due - time.monotonic())
        while time.monotonic() < due + busy_s:
            pass


parent = os.getpid()
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))  # fails at once where it is not allowed
children = []
for core in sorted(os.sched_getaffinity(0)):
    if not (child := os.fork()):
        take(core)
        os._exit(0)
    children.append(child)
os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
sys.stdin.read()
for child in children:
    os.kill(child, 9)
    os.waitpid(child, 0)
