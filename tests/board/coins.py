"""The floor: every pixel a coin of its own, as often 1 as among training digits."""

import numpy as np


def train(task):
    """Count once; there is nothing else to learn, and there are no codes."""
    chance = (task.grey.sum(axis=0) + 0.5) / (len(task.grey) + 1)

    def log_weights(x, samples, seed):
        log_p = np.where(x > 0.5, np.log(chance), np.log1p(-chance)).sum(axis=1)
        return np.tile(log_p, (samples, 1))

    yield 1, log_weights, ()
