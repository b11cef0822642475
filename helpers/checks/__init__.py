"""The exercises' self-checks: "not attempted", "not yet: ..." or "correct"."""

from helpers.checks.notebook_01 import (
    check_elbo,
    check_kl_exponential,
    check_kl_normals,
    check_posterior,
)
from helpers.checks.notebook_01_training import (
    check_gaussian_nll,
    check_minibatch_bound,
    check_noise_variance,
    check_pathwise_gradient,
    check_sample_logistic,
)
from helpers.checks.notebook_02 import (
    check_count_parameters,
    check_interpolate,
    check_psnr,
    check_score,
)
from helpers.checks.notebook_03 import (
    check_active_units,
    check_bernoulli,
    check_iwae,
    check_kl_normal,
    check_sample,
)
from helpers.checks.notebook_04 import (
    check_bits,
    check_kl_laplace,
    check_log_mixture,
)
from helpers.checks.notebook_04_samplers import check_gumbel, check_sample_laplace
from helpers.checks.notebook_05 import (
    check_aggregate_density,
    check_overlap,
    check_uncertainty,
)
from helpers.checks.notebook_05_walks import check_slerp, check_traverse
from helpers.checks.notebook_06 import check_auc, check_importance_weights
from helpers.checks.notebook_06_sets import (
    check_code_length,
    check_covered_share,
    check_directions,
)
from helpers.checks.notebook_07 import (
    check_leapfrog,
    check_marginal_likelihood,
    check_wake_sleep,
)
from helpers.checks.notebook_07_ladder import (
    check_doubly_factor,
    check_estimate,
    check_flow_density,
)
from helpers.checks.notebook_08 import (
    check_from_velocity,
    check_guided,
    check_own_logit,
    check_step_mean,
    check_vector_gradient,
)
from helpers.checks.notebook_09 import (
    check_copied,
    check_hidden_sigma,
    check_prior_gain,
    check_repaired,
    check_standardise,
)
