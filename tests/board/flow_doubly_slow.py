"""flow_doubly at half the rate, for an hour; at the whole one it may diverge."""

from helpers.engine.studies import ladder_training


def train(task):
    """Train the rung of that name until the time is over."""
    yield from ladder_training.by_clock(task, "flow_doubly", peak=1.5e-3)
