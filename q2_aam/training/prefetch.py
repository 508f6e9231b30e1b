"""Batches prepared by threads while the model computes, in their order whatever the threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..data.batches import Batch, build_batch
from ..data.study import Studies

_AHEAD = 2  # batches that wait for each thread's next one


def prepared_batches(
    studies: Studies, order: list[tuple[int, np.ndarray]], workers: int
) -> Iterator[Batch]:
    """Yield the batches of an epoch.

    A batch is a pure function of the study and the samples, so threads change nothing but time.

    Parameters
    ----------
    studies : Studies
    order : list of (study, samples)
        See `q2_aam.data.batches.epoch_order`.
    workers : int
        Threads; 0 builds each batch when it is asked for.
    """
    if not workers:
        for study, samples in order:
            yield build_batch(studies, study, samples, tokens=False)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
        waiting: deque = deque()
        for study, samples in order:
            waiting.append(pool.submit(build_batch, studies, study, samples, tokens=False))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
