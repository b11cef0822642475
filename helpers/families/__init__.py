"""The latent families: a prior p(z), and the posteriors q(z|x) that go with it."""

import helpers.engine.quiet_start

# isort: split
from helpers.engine.numerics import standard_exponential
from helpers.families.base import Family, get_family, registry
from helpers.families.independent import (
    Exponential,
    Kumaraswamy,
    Laplace,
    Logistic,
    Normal,
    ShiftedExponential,
    StudentT,
    Weibull,
)
from helpers.families.learned import (
    LearnedPriorFamily,
    MixturePriorFamily,
    VampPriorFamily,
)
from helpers.families.sphere import PowerSpherical
