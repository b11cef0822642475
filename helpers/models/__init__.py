"""Encoders, decoders, and the models made of them: ``Autoencoder``, ``VAE``, ``ConditionalVAE``."""

import helpers.engine.quiet_start

# isort: split
from helpers.engine.weights import FOLDER as WEIGHTS
from helpers.engine.weights import load_weights, save_weights
from helpers.models.autoencoder import (
    Autoencoder,
    EncoderDecoder,
    checked_codes,
    checked_pictures,
    in_batches,
)
from helpers.models.build import build_autoencoder, build_vae
from helpers.models.conditional import ConditionalVAE, build_conditional_vae
from helpers.models.networks import (
    conv_decoder,
    conv_encoder,
    dense_decoder,
    dense_encoder,
    heads,
    hidden_layers,
)
from helpers.models.pca import PrincipalComponents
from helpers.models.vae import VAE
from helpers.models.walks import arc, straight, traversal
