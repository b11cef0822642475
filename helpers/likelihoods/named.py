"""Likelihoods by name, but for those that need an argument."""

from helpers.likelihoods.base import Likelihood
from helpers.likelihoods.pictures import (
    Bernoulli,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
)
from helpers.likelihoods.tables import NegativeBinomial, Poisson

NAMED: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretised_logistic": DiscretisedLogistic,
    "gaussian": Gaussian,
    "negative_binomial": NegativeBinomial,
    "poisson": Poisson,
}


def get_likelihood(likelihood: str | Likelihood) -> Likelihood:
    """Return the likelihood of that name, as ``"poisson"``; a layer passes through.

    Raises:
        ValueError: no likelihood has that name.
    """
    if isinstance(likelihood, Likelihood):
        return likelihood
    if likelihood not in NAMED:
        raise ValueError(
            f"likelihood must be one of {sorted(NAMED)}, and is {likelihood!r}"
        )
    return NAMED[likelihood]()
