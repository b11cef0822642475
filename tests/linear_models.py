"""Linear VAEs whose figures and steps NumPy computes too."""

import functools

import keras
import numpy as np
import scipy.special
from campaign import tries

from helpers import likelihoods, models, training

LOW = -30.0  # z_log_var: so low that a sample is the posterior's mean
RATE = 0.05
SHAPES = [(6, 7, 1), (3, 5, 3), (12,), (4, 6), (11, 11, 2), (2, 3, 2, 2)]
BETAS = [1.0, 0.0, 2.5, "warm-up"]
SIGMAS = [None, 0.3]  # None is a Bernoulli likelihood
CLASSES = 3


@functools.cache
def linear(index, purpose):
    """Return a pair (model, ``Linear``) by number; a model for each purpose."""
    keras.utils.set_random_seed(index)
    shape, beta = SHAPES[index % len(SHAPES)], BETAS[(index + index // 4) % len(BETAS)]
    sigma = SIGMAS[(index + index // 6) % 2]
    options = {"hidden": (), "beta": beta}
    if beta == "warm-up":
        options["beta"] = training.warm_up(4, end=3.0)
    options["likelihood"] = likelihoods.Gaussian(sigma) if sigma else "bernoulli"
    size = (index + index // 6) % 3 + 1
    if index % 4 == 3:
        vae = models.build_conditional_vae(shape, size, CLASSES, **options)
    else:
        vae = models.build_vae(shape, size, **options)
    head = vae.encoder.get_layer("z_log_var")
    head.kernel.assign(0 * head.kernel)
    head.bias.assign(0 * head.bias + LOW)
    eager = purpose != "train_on_batch" and bool(tries(test=1, soak=0))
    vae.compile(keras.optimizers.SGD(RATE), run_eagerly=eager)
    return vae, Linear(vae, shape, sigma, beta)


class Linear:
    """The same model in float64, without noise.

    Its weights are those of the model when it was made: ``reset`` gives them back.
    """

    def __init__(self, vae, shape, sigma, beta):
        self.vae, self.shape, self.sigma, self.beta = vae, shape, sigma, beta
        self.conditional = isinstance(vae, models.ConditionalVAE)
        self.initial = vae.get_weights()
        self.reset()

    def reset(self):
        self.vae.set_weights(self.initial)
        self.read()

    def read(self):
        """Take the model's weights."""
        networks = self.vae.encoder, self.vae.decoder
        found = [w for network in networks for w in network.get_weights()]
        self.weights = [weight.astype("float64") for weight in found]
        self.step = int(self.vae.kl_divergence.step)

    def current_beta(self):
        return 3 * min(1, self.step / 4) if self.beta == "warm-up" else self.beta

    def inputs(self, x, labels):
        x = np.asarray(x, "float64")
        flat = x.reshape(len(x), -1)
        one_hot = np.eye(CLASSES)[np.asarray(labels, int)] if self.conditional else None
        return flat, flat[:, :0] if one_hot is None else one_hot

    def forward(self, x, labels=None):
        """Return flat pictures, classes, mean, low, logits, rates and distortions."""
        flat, classes = self.inputs(x, labels)
        kernel, bias, low_kernel, low_bias, pixels, grey = self.weights
        inputs = np.hstack([flat, classes])
        mean, low = inputs @ kernel + bias, inputs @ low_kernel + low_bias
        logits = np.hstack([mean, classes]) @ pixels + grey
        rates = 0.5 * np.sum(mean**2 + np.exp(low) - 1 - low, axis=1)
        if self.sigma is None:
            nats = np.logaddexp(0, logits) - flat * logits
        else:
            error = (flat - scipy.special.expit(logits)) / self.sigma
            nats = 0.5 * error**2 + np.log(self.sigma * np.sqrt(2 * np.pi))
        return flat, classes, mean, low, logits, rates, nats.sum(axis=1)

    def figures(self, x, labels=None, weights=1.0):
        """Return loss, rate and distortion."""
        *_, rates, nats = self.forward(x, labels)
        rate, distortion = (rates * weights).mean(), (nats * weights).mean()
        loss = self.current_beta() * rate + distortion
        return {"loss": loss, "rate": rate, "distortion": distortion}

    def learn(self, x, labels=None, weights=1.0):
        """Take a step of gradient descent by hand."""
        flat, classes, mean, low, logits, *_ = self.forward(x, labels)
        pixels = self.weights[4]
        share = np.broadcast_to(weights, len(flat))[:, np.newaxis] / len(flat)
        p = scipy.special.expit(logits)
        slope = 1 if self.sigma is None else p * (1 - p) / self.sigma**2
        to_logits = share * (p - flat) * slope
        rate = share * self.current_beta()
        to_mean = to_logits @ pixels[: mean.shape[1]].T + rate * mean
        to_low = rate * 0.5 * (np.exp(low) - 1)
        inputs, codes = np.hstack([flat, classes]), np.hstack([mean, classes])
        gradients = [
            inputs.T @ to_mean,
            to_mean.sum(axis=0),
            inputs.T @ to_low,
            to_low.sum(axis=0),
            codes.T @ to_logits,
            to_logits.sum(axis=0),
        ]
        pairs = zip(self.weights, gradients, strict=True)
        self.weights = [weight - RATE * slope for weight, slope in pairs]
        self.step += 1

    def check_weights(self):
        """Compare the model's weights with these."""
        networks = self.vae.encoder, self.vae.decoder
        found = [w for network in networks for w in network.get_weights()]
        for weight, expected in zip(found, self.weights, strict=True):
            np.testing.assert_allclose(weight, expected, rtol=1e-3, atol=2e-5)
