"""flow with another flow for the posterior, which reads the digit."""

from helpers.engine.studies import ladder_training


def train(task):
    """Train the rung of that name until the time is over."""
    yield from ladder_training.by_clock(task, "flow_posterior")
