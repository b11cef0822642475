"""Train under tf.distribute.MirroredStrategy on two logical processors.

For test_scaling.py: prints, as JSON, what one device gives and what two give.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tensorflow as tf

(PROCESSOR,) = tf.config.list_physical_devices("CPU")
TWO = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(PROCESSOR, TWO)  # before they start

# isort: split
import keras  # noqa: E402
import numpy as np  # noqa: E402
from joined import pictures  # noqa: E402

from helpers import models, training  # noqa: E402
from helpers.families import get_family  # noqa: E402


class Still(type(get_family("normal"))):
    """Normal posteriors without noise, which each device would draw anew."""

    name = "still"

    def sample_posterior(self, parameters, seed=None):
        return parameters[0]


def build():
    keras.utils.set_random_seed(0)
    return models.build_vae((8, 8, 1), 3, Still(), hidden=(16,))


def fit(**options):
    """Return the figures of each epoch."""
    vae = build()
    vae.compile(keras.optimizers.Adam(0.01))
    options |= {"batch_size": 20, "shuffle": False, "validation_data": (pictures(),)}
    return vae.fit(pictures(), epochs=2, verbose=0, **options).history


def train(**options):
    """Return the loss of each round, or a refusal."""
    options = {"batch_size": 20, "rounds": 2, "verbose": False} | options
    try:
        return training.train(build(), pictures(), steps=20, **options)["loss"].tolist()
    except ValueError as error:
        return str(error)


def main():
    weights = np.linspace(0, 2, 200)
    one = {"fit": fit(), "weighed": fit(sample_weight=weights), "train": train()}
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        two = {"fit": fit(), "weighed": fit(sample_weight=weights), "train": train()}
        refused = [train(jit_compile=True), train(batch_size=19)]
    print(json.dumps([one, two, refused]))


if __name__ == "__main__":
    main()
