"""Which reads of the reference a batch holds."""

from __future__ import annotations

import numpy as np

from q2_aam.training.references import ReadStep

LARGEST_JITTER = 50
JITTERED_SHARE = 0.25  # of the reads; the others begin where primers end, or whole
LONG_SHARE = 0.25  # of the batches: merged reads
SHORTEST, USUAL = 90, 300
ORDER = 0x7EEE  # what the seed is for


def draw_reads(
    lengths: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
    longest: int,
    seed: int,
    epoch: int,
    step: int,
) -> ReadStep:
    """Draw where the reads of a batch begin, and one length for all, so that none is padded.

    `starts` (organisms, sites) says where reads may begin, such as behind each primer; -1 where an
    organism lacks the site. Organisms without a read of the length are left out. The draw is a pure
    function of seed, epoch and step.
    """
    random = np.random.default_rng([seed, epoch, step, ORDER])
    usual = min(USUAL, longest)
    between = (usual, longest) if random.random() < LONG_SHARE else (min(SHORTEST, usual), usual)
    length = int(random.integers(between[0], between[1] + 1))
    length = min(length, int(np.median(lengths)))
    jitter = random.integers(1, LARGEST_JITTER + 1, len(rows))
    jitter *= random.random(len(rows)) < JITTERED_SHARE
    starts = starts[rows]
    room = lengths[rows, None] - starts - length
    chance = random.random(starts.shape) * ((starts >= 0) & (room >= 0))
    site = chance.argmax(axis=1)[:, None]
    begin, room = (np.take_along_axis(part, site, axis=1)[:, 0] for part in (starts, room))
    found = chance.max(axis=1) > 0
    return ReadStep(rows[found], (begin + np.minimum(jitter, room))[found], length)
