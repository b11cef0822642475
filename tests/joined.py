"""One of several processes that train a model together, for test_scaling.py.

python tests/joined.py RANK COUNT PORT FOLDER '{"name of a case": {...}}'
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
from test_backends import NotInstalled

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def join(rank, count, port):
    """Join the other processes, and have their devices share every batch."""
    import keras

    if count > 1:
        keras.distribution.initialize(f"127.0.0.1:{port}", count, rank)
    parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(parallel)


def pictures():
    """Smooth grey pictures in [0, 1], (200, 8, 8, 1)."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:8, 0:8]
    centres = rng.uniform(1, 6, size=(200, 2, 1, 1))
    squared = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2
    return np.exp(-squared / 4)[..., np.newaxis].astype("float32")


def build(family="normal", architecture="dense"):
    """A small VAE with a family of that name."""
    from helpers import families, models

    family = families.VampPriorFamily(5) if family == "vamp" else family
    family, shape = families.get_family(family), (8, 8, 1)
    if architecture == "dense":
        return models.build_vae(shape, 3, family, hidden=())
    encoder = models.conv_encoder(shape, 3, family.parameter_names, (8, 16))
    decoder = models.conv_decoder(shape, 3, (16, 8), family)
    return models.VAE(encoder, decoder, family)


def train(rank, folder, name, model, backup=None, dies=None):
    """Train a small VAE for a few steps, and write down all that came out.

    ``dies`` is [rank, round, signal]: which process sends itself what when it begins
    which round. Each process has a folder of its own for backups.
    """
    import keras

    from helpers import training

    keras.utils.set_random_seed(1)
    vae, x = build(**model), pictures()

    def begins(epoch, logs=None):
        if dies and dies[:2] == [rank, epoch]:
            os.kill(os.getpid(), getattr(signal, dies[2]))

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=begins)
    given = {"steps": 8, "rounds": 4, "batch_size": 12, "learning_rate": 0.02}
    given |= {"held_out": x[100:], "callbacks": [callback], "steps_per_execution": 2}
    given |= {"backup": backup and folder / f"{backup} {rank}"}
    history = training.train(vae, x[:100], **given)
    codes = vae.encode(x[:10])
    weights = {f"{i:03d}": w for i, w in enumerate(vae.get_weights())}
    np.savez(folder / f"{name} {rank}.npz", codes=codes, **history, **weights)


def main(rank, count, port, folder, cases):
    """Train each case in turn, as one of ``count`` processes."""
    sys.meta_path.insert(0, NotInstalled())  # JAX needs no TensorFlow
    start = time.perf_counter()
    join(rank, count, port)
    for name, case in cases.items():
        train(rank, Path(folder), name, **case)
    assert "tensorflow" not in sys.modules
    print(f"process {rank} is done after {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    *numbers, where, cases = sys.argv[1:]
    main(*map(int, numbers), where, json.loads(cases))
