"""Encoders, decoders, and the models of both: ``Autoencoder``, ``VAE`` and others."""

import helpers.engine.quiet_start

# isort: split
from helpers.engine.weights import FOLDER as WEIGHTS
from helpers.engine.weights import load_weights, save_weights
from helpers.models.autoencoder import Autoencoder, in_batches
from helpers.models.build import (
    build_autoencoder,
    build_cat_vae,
    build_conditional_vae,
    build_vae,
)
from helpers.models.conditional import ConditionalVAE
from helpers.models.denoising import DenoisingVAE
from helpers.models.networks import (
    DECODER_WIDTHS,
    ENCODER_WIDTHS,
    conv_decoder,
    conv_encoder,
    dense_decoder,
    dense_encoder,
    heads,
)
from helpers.models.pca import PrincipalComponents
from helpers.models.spatial import VQVAE, SpatialVAE, perplexity, straight_through
from helpers.models.tokens import CodeDiffusion, IndexPrior, token_network
from helpers.models.vae import VAE
from helpers.models.walks import arc, straight, traversal
