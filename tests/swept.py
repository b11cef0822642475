"""What test_sweeps.py sweeps over, in processes of its own; most need no TensorFlow."""

import json
import os
import signal
import sys
import time
from pathlib import Path


def square(configuration):
    """Return a square, after seconds of sleep if there are any; count the calls."""
    time.sleep(configuration.get("sleep", 0))
    if calls := configuration.get("calls"):
        Path(calls, f"{configuration['x']}-{os.getpid()}").touch()
    return {"square": configuration["x"] ** 2}


def resumed(configuration):
    """Go on where an earlier call was stopped: the second of them ends at once."""
    begun = Path(configuration["begun"])
    if not begun.exists():
        begun.touch()
        time.sleep(60)
    return square(configuration)


def troubled(configuration):
    """Return a square, unless the configuration says what else to do."""
    print("noise")
    do = configuration.get("do")
    if do == "raise":
        raise KeyError("no such thing")
    if do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "exit":
        os._exit(3)
    if do == "nan":
        return float("nan")
    if do == "object":
        return {"result": object()}
    return square(configuration)


def half_written(configuration):
    """Be killed between a result's last byte and its name."""
    replace = os.replace

    def killed(source, target):
        if str(source).endswith(".unfinished"):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    if configuration["x"] == 1 and not Path(configuration["spare"]).exists():
        os.replace = killed
    return square(configuration)


def numbers(configuration):
    """Return NumPy's numbers, and spoil the configuration."""
    import numpy as np

    configuration.clear()
    return {"array": np.arange(3), "number": np.float32(0.5), "pair": (1, 2)}


def threads(configuration):
    """Return how many threads each library would compute with."""
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info()]


def parent(configuration):
    """Return the process that started this one, after seconds of sleep."""
    square(configuration)
    return os.getppid()


def mean(configuration):
    """Return the mean of an array that is read where it is needed."""
    import numpy as np

    return np.load(configuration["data"]).mean()


def loss(configuration):
    """Train a tiny VAE for two steps; return its loss."""
    return train(configuration | {"products": 0})["loss"]


def train(configuration):
    """Train a tiny VAE for two steps; return its loss, and how many threads work."""
    from helpers import models, training  # isort: skip

    import keras
    import numpy as np

    keras.utils.set_random_seed(configuration["seed"])
    x = np.random.default_rng(0).uniform(size=(16, 8, 8, 1)).astype("float32")
    vae = models.build_vae((8, 8, 1), 2, hidden=(8,))
    history = training.train(vae, x, steps=2, rounds=1, batch_size=8, verbose=False)
    before, matrix = ticks(), keras.ops.ones((1000, 1000))
    for _ in range(configuration["products"]):
        matrix = keras.ops.matmul(matrix, matrix) / 1000
    spent = {task: count - before.get(task, 0) for task, count in ticks().items()}
    busy = [task for task, n in spent.items() if n > 0.2 * sum(spent.values())]
    return {"loss": history["loss"][-1], "busy": len(busy), "ticks": [*spent.values()]}


def ticks():
    """The time that each thread of this process has computed, by its number."""
    stats = [path.read_text() for path in Path("/proc/self/task").glob("*/stat")]
    return {stat.split()[0]: int(stat.rpartition(")")[2].split()[11]) for stat in stats}


if __name__ == "__main__":  # to be killed in the middle of a sweep
    from helpers.engine.sweeps import sweep

    name, grid, folder, workers = json.loads(sys.argv[1])
    sweep(name, grid, folder, workers)
