"""``Sampling`` and ``KLDivergence``, which make an autoencoder variational;
``ResidualDense``.

The first two compute in float32, whatever the dtype policy of the networks.
"""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from helpers.families import Family, get_family
from helpers.likelihoods import MeanOfCalls

register = keras.saving.register_keras_serializable("vae_course")


@register
class Sampling(keras.layers.Layer):
    """Draw z ~ q(z|x) by reparameterisation: gradients flow back to the parameters.

    Called on the list of the posterior's parameters, each (batch, d); returns (batch,
    d).

    Source: Kingma and Welling (2013), section 2.4.

    Args:
        family: a family or its name.
        seed: an integer for a repeatable stream of noise; None takes one from the
            global seed.
    """

    def __init__(
        self, family: str | Family = "normal", seed: int | None = None, **kwargs
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.family = get_family(family)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, parameters):
        return self.family.sample_posterior(parameters, self.seed_generator)

    def get_config(self):
        family = keras.saving.serialize_keras_object(self.family)
        return {**super().get_config(), "family": family, "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        family = keras.saving.deserialize_keras_object(config["family"])
        return cls(**{**config, "family": family})


@register
class KLDivergence(keras.layers.Layer):
    """Add beta KL(q(z|x), p(z)) to the loss, in nats: summed over latents, mean over
    the batch.

    Called on the list of the posterior's parameters, each (batch, d), and, for families
    whose divergence has no closed form, on z ~ q(z|x). Reports the metric ``rate``, the
    KL without beta, and passes the parameters through.

    Source: Kingma and Welling (2013), equation 10; Higgins et al. (2017) for beta.

    Args:
        family: a family or its name.
        beta: the weight of the KL, at least 0; or a Keras learning-rate schedule that
            gives it by training step, such as ``helpers.training.warm_up(1000)``.
            Validation uses the weight that training has reached.

    Raises:
        ValueError: ``beta`` is below 0.
    """

    def __init__(
        self,
        family: str | Family = "normal",
        beta: float | LearningRateSchedule = 1.0,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        if not isinstance(beta, LearningRateSchedule) and not beta >= 0:
            raise ValueError(f"beta must be at least 0 or a schedule, and is {beta!r}")
        self.family = get_family(family)
        self.beta = beta
        self.rate = MeanOfCalls(name="rate")
        self.step = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )

    def current_beta(self):
        """Return the weight at the present training step."""
        scheduled = isinstance(self.beta, LearningRateSchedule)
        return self.beta(self.step) if scheduled else self.beta

    def call(self, parameters, z=None, training=False):
        rate = ops.mean(ops.sum(self.family.kl_divergence(parameters, z), axis=-1))
        self.add_loss(self.current_beta() * rate)
        self.rate.report(rate)
        if training:
            self.step.assign_add(1)
        return parameters

    def get_config(self):
        config = {"family": self.family, "beta": self.beta}
        serialized = {
            key: keras.saving.serialize_keras_object(value)
            for key, value in config.items()
        }
        return {**super().get_config(), **serialized}

    @classmethod
    def from_config(cls, config):
        restored = {
            key: keras.saving.deserialize_keras_object(config[key])
            for key in ("family", "beta")
        }
        return cls(**{**config, **restored})


@register
class ResidualDense(keras.layers.Dense):
    """A dense layer that adds its outputs to its inputs.

    Gradients pass the sum unchanged, so that a deep stack learns as quickly at first as
    a shallow one.

    Source: He et al. (2015), "Deep residual learning for image recognition".

    Raises:
        ValueError: it has more or fewer units than inputs.
    """

    def build(self, input_shape):
        if input_shape[-1] != self.units:
            raise ValueError(
                "a residual layer must have as many units as inputs, and has "
                f"{self.units} units and {input_shape[-1]} inputs: use Dense where widths change"
            )
        super().build(input_shape)

    def call(self, inputs):
        return inputs + super().call(inputs)
