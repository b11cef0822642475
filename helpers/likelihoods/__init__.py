"""Likelihoods p(x|z) as Keras layers: distortions in nats, summed over pixels.

Called in a model on data and on a decoder's outputs, a likelihood adds the batch's mean
negative log-likelihood to the loss, reports it as the metric ``distortion``, and
returns the means.
"""

import helpers.engine.quiet_start

# isort: split
from helpers.likelihoods.base import Likelihood, MeanOfCalls, ReportingModel
from helpers.likelihoods.colours import COLOUR_OUTPUTS, colour_mean, colour_nats
from helpers.likelihoods.named import NAMED, get_likelihood
from helpers.likelihoods.pictures import (
    Bernoulli,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
)
from helpers.likelihoods.tables import Categorical, Mixed, NegativeBinomial, Poisson
