"""A denoising VAE: the encoder sees noisy pictures, the likelihood the clean ones."""

from typing import Any

import keras
import numpy as np

from helpers.engine import checked
from helpers.families.base import register
from helpers.models.vae import VAE

HINT = "batches.map(lambda noisy, clean: ((noisy, clean),))"


@register
class DenoisingVAE(VAE):
    """Noisy x -> q(z|noisy x) -> z -> p(x|z), whose distortion is that of clean x.

    ``fit(noisy, clean)``, ``training.train(vae, noisy, targets=clean)``, and so
    ``evaluate``; or x = (noisy, clean), as held-out data and ``metrics.elbo`` have it,
    and batches of a data set: ((noisy, clean),). Without a pair, x has to come back as
    it is. ``encode``, ``reconstruct`` and ``predict`` take noisy x alone.

    Noise is what the encoder is given: pictures may leave [0, 1], classes be hidden
    (all 0). Draw it anew in a data set, or the model sees one noise for each picture.

    Source: Im, Ahn, Memisevic and Bengio (2017), "Denoising criterion for variational
    auto-encoding framework", equation 5. Arguments and errors are those of ``VAE``.
    """

    def checked(self, x: Any, *, purpose: str = "noisy", **options) -> Any:
        return super().checked(x, purpose=purpose, **options)

    def checked_data(
        self, x: Any, y: Any, weights: Any, purpose: str, **options
    ) -> tuple:
        paired = isinstance(x, tuple) and len(x) == 2
        if purpose == "look" or (not paired and (y is None or y is x)):
            return super().checked_data(x, y, weights, purpose, **options)
        noisy, clean = x if paired else (x, y)
        noisy = self.checked(noisy, **options)
        clean = self.checked(clean, purpose=purpose, name="targets")
        checked.same_shape(x=noisy, targets=clean)
        if paired and y is not None and y is not x:
            self.refuse_others(clean, y)
        if weights is not None:
            weights = checked.weights(weights, len(clean))
        return (noisy, clean), None if y is None and weights is None else clean, weights

    def checked_batch(self, batch: Any, purpose: str) -> tuple:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if purpose != "look" and y is not None and not isinstance(x, tuple):
            shapes = keras.tree.map_structure(np.shape, batch)
            raise ValueError(
                "targets don't reach a model that brings its own loss: a denoising "
                f"VAE's data set gives ((noisy, clean),), and gave {shapes}: {HINT}"
            )
        return super().checked_batch(batch, purpose)

    def call(self, x, training=False):
        noisy, clean = x if isinstance(x, tuple | list) else (x, x)
        return self.compared(noisy, clean, training)
