"""``Sampling`` and ``KLDivergence``, which make a VAE, and ``ResidualDense``."""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import math
from numbers import Real

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from helpers.engine import checked
from helpers.families import Family, get_family
from helpers.families.base import register, restored, serialized
from helpers.likelihoods import MeanOfCalls


class FamilyLayer(keras.layers.Layer):
    """A layer called on the list of a posterior's parameters, each (batch, d).

    It computes in float32, whatever the dtype policy of the networks.

    Raises:
        ValueError: the parameters are not as many as the family's, or of unlike shapes.
    """

    def __init__(self, family: str | Family = "normal", **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.family = get_family(family)

    def check(self, parameters, **others) -> None:
        """Raise ValueError unless these are the family's parameters, of one shape."""
        names = self.family.parameter_names
        if not isinstance(parameters, list | tuple) or len(parameters) != len(names):
            came = keras.tree.map_structure(lambda p: tuple(p.shape), parameters)
            raise ValueError(
                f"the family {self.family.name!r} has the parameters {names}, and what "
                f"came has the shapes {came}: call the layer on a list of them"
            )
        checked.same_shape(**dict(zip(names, parameters, strict=True)), **others)

    def get_config(self):
        return {**super().get_config(), **serialized({"family": self.family})}

    @classmethod
    def from_config(cls, config):
        return cls(**{key: restored(value) for key, value in config.items()})


@register
class Sampling(FamilyLayer):
    """Draw z ~ q(z|x), (batch, d), so that gradients flow back to the parameters.

    Args:
        family: a family or its name.
        seed: of a repeatable stream of noise; None takes one from the global seed.

    Source: Kingma and Welling (2013), section 2.4, reparameterisation.
    """

    def __init__(
        self, family: str | Family = "normal", seed: int | None = None, **kwargs
    ):
        super().__init__(family, **kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, parameters):
        self.check(parameters)
        return self.family.sample_posterior(parameters, self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@register
class KLDivergence(FamilyLayer):
    """Add beta KL(q(z|x), p(z)) to the loss: nats, summed over latents, batch mean.

    Called on the parameters and, for families whose KL has no closed form, on
    z ~ q(z|x). Reports the metric ``rate``, the KL without beta, and returns the
    parameters.

    Args:
        family: a family or its name.
        beta: the weight, a number from 0 on, or a Keras learning-rate schedule of it by
            training step, as ``training.warm_up(1000)``: the one way to change it while
            training. Validation uses the weight that training has reached.

    Raises:
        ValueError: ``beta`` is neither.

    Source: Kingma and Welling (2013), equation 10; Higgins et al. (2017) for beta.
    """

    def __init__(
        self,
        family: str | Family = "normal",
        beta: float | LearningRateSchedule = 1.0,
        **kwargs,
    ):
        super().__init__(family, **kwargs)
        self.scheduled = isinstance(beta, LearningRateSchedule)
        number = isinstance(beta, Real) and 0 <= float(beta) < math.inf
        if not (self.scheduled or number):  # nor a variable: training takes it to 0
            raise ValueError(
                f"beta must be a number from 0 on or a schedule, and is {beta!r}"
            )
        self.given_beta = beta if self.scheduled else float(beta)
        self.rate = MeanOfCalls(name="rate")
        self.step = self.add_weight((), "zeros", "int64", trainable=False, name="step")

    @property
    def beta(self) -> float | LearningRateSchedule:
        """The weight, or its schedule, as it was given: a compiled step keeps it."""
        return self.given_beta

    @beta.setter
    def beta(self, value):
        raise AttributeError(
            f"beta stays {self.given_beta!r}, and can't become {value!r}: a compiled "
            "step keeps what it was built with. Give a schedule, such as "
            "training.warm_up(1000), or build another VAE of the same networks"
        )

    def current_beta(self):
        """Return the weight at the present training step."""
        return self.beta(self.step) if self.scheduled else self.beta

    def call(self, parameters, z=None, training=False):
        self.check(parameters, **({} if z is None else {"z": z}))
        rates = ops.sum(self.family.kl_divergence(parameters, z), axis=-1)  # (batch,)
        beta = self.current_beta()
        loss = beta * ops.mean(rates)
        self.add_loss(loss)
        self.rate.report(rates, loss, beta)
        if training:
            self.step.assign_add(1)
        return parameters

    def get_config(self):
        return {**super().get_config(), **serialized({"beta": self.beta})}


@register
class ResidualDense(keras.layers.Dense):
    """A dense layer that adds its outputs to its inputs.

    Gradients pass the sum unchanged, so that deep stacks learn as quickly as shallow
    ones. Source: He et al. (2015), "Deep residual learning for image recognition".

    Raises:
        ValueError: it has more or fewer units than inputs.
    """

    def build(self, input_shape):
        if input_shape[-1] != self.units:
            raise ValueError(
                "a residual layer must have as many units as inputs, and has "
                f"{self.units} units and {input_shape[-1]} inputs: use Dense where "
                "widths change"
            )
        super().build(input_shape)

    def call(self, inputs):
        return inputs + super().call(inputs)
