"""Measure models on held-out pictures: bounds in nats, codes, pictures, scores."""

import helpers.engine.quiet_start

# isort: split
from helpers.metrics.baselines import constant_nats, linear_nats, prior_gain
from helpers.metrics.bounds import (
    Bound,
    active_units,
    binarised,
    bits_per_dimension,
    elbo,
    elbo_terms,
    iwae_bound,
    rate_per_latent,
)
from helpers.metrics.codes import (
    emptiness,
    excess_kurtosis,
    hoyer_sparsity,
    information,
    mutual_information_gap,
    overlap,
)
from helpers.metrics.doctor import Diagnosis, Finding, diagnose
from helpers.metrics.pictures import TrackQuality, block_ratio, mse, psnr, quality, ssim
from helpers.metrics.rules import judged
from helpers.metrics.samples import sample_distance, two_sample_test
from helpers.metrics.scores import (
    Estimate,
    auc,
    covered_share,
    knn_accuracy,
)
from helpers.metrics.tables import claims, table
