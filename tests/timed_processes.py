"""Timings that need processes of their own: memory, two at a time, imports."""

import os
import socket
import subprocess
import sys
import tempfile

import numpy as np
from timings import REPEATS, row, seconds

from helpers.engine import paths

GROWTH = """
import resource, sys
sys.path.insert(0, {root!r})
from helpers import models, training
import numpy as np
x = np.random.default_rng(0).random(({count}, {side}, {side}, {channels}), np.float32)
vae = models.build_vae(x.shape[1:], 32, architecture={architecture!r})
options = {{"batch_size": {batch}, "rounds": 1, "jit_compile": {jit!r}}}
def seconds(steps):
    return training.train(vae, x, steps=steps, verbose=False, **options)["seconds"]
times = [seconds(steps) for steps in (20, 20, 120)]
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((times[2] - times[1]) * 10, used / 1e6)
"""


def growth() -> None:
    """Time and memory of training by the number of pictures and by their size."""
    cases = [(count, 28, 1, "dense") for count in (10_000, 30_000, 60_000)]
    cases += [(1_000, side, 3, "conv") for side in (28, 64, 128)]
    for count, side, channels, architecture in cases:
        batch = 128 if architecture == "dense" else 32
        jit = True if architecture == "dense" else "auto"
        given = {"count": count, "side": side, "channels": channels, "batch": batch}
        given |= {"architecture": architecture, "jit": jit, "root": str(paths.ROOT)}
        code = GROWTH.format(**given)
        runs = [
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            for _ in range(REPEATS)
        ]
        found = np.array([run.stdout.split() for run in runs], float)
        name = f"{architecture}, {count:,} pictures of {side} x {side} x {channels}"
        row(f"{name}: a step", list(found[:, 0]), "ms")
        row(f"{name}: memory at most", list(found[:, 1]), "GB")


TOGETHER = """
import os, resource, sys, time
os.sched_setaffinity(0, {{{core}}})  # so that JAX computes with one thread
sys.path.insert(0, {root!r})
import keras
import numpy as np
if {count} > 1:
    keras.distribution.initialize("127.0.0.1:{port}", {count}, {rank})
parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
keras.distribution.set_distribution(parallel)
from helpers import models, training
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).random((2048, *{shape}), "float32")
vae = {build}
seen = {{}}
def note(batch, logs):
    lines = open("/proc/net/dev").read().splitlines()
    (loopback,) = [line.split() for line in lines if line.split()[0] == "lo:"]
    seen[batch + 1] = time.perf_counter(), time.process_time(), int(loopback[1])
clock = keras.callbacks.LambdaCallback(on_train_batch_end=note)
options = {{"rounds": 1, "verbose": False, "callbacks": [clock]}}
options |= {{"batch_size": {batch}, "steps_per_execution": 1}}
training.train(vae, x, steps={steps} + 10, **options)
whole, own, sent = np.subtract(seen[{steps} + 10], seen[10]) / {steps}
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(1000 * whole, 1000 * own, used, sent / 1e6)
"""


def processes() -> None:
    """Time steps of one process, and of two, each with one core: on JAX."""
    cat = "models.build_cat_vae((64, 64, 3), filters=(64, 128), blocks=(0, 0))"
    for name, build, shape, batch, steps in (
        ("digits, dense", "models.build_vae()", (28, 28, 1), 512, 50),
        ("cats, plain", cat, (64, 64, 3), 32, 20),
    ):
        options = {"build": build, "shape": shape, "batch": batch, "steps": steps}
        for count in (1, 2):
            runs = [steps_together(count, **options) for _ in range(REPEATS)]
            whole, own, memory, sent = np.transpose(runs)
            title = f"{name}, {batch} per step, {count} process(es)"
            row(f"{title}: a step", list(whole), "ms")
            row(f"{title}: processor time of each", list(own), "ms")
            row(f"{title}: memory of each at most", list(memory), "GB")
            row(f"{title}: over loopback, by all", list(sent), "MB per step")


def steps_together(count: int, **options) -> list[float]:
    """Return ms, own ms, GB and MB per step of processes that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cores = sorted(os.sched_getaffinity(0))
    known = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    runs = []
    for rank in range(count):
        given = {"core": cores[rank], "count": count, "rank": rank, "port": port}
        code = TOGETHER.format(**given, **options, root=str(paths.ROOT))
        command = [sys.executable, "-c", code]
        pipes = {"stdout": subprocess.PIPE, "text": True}
        runs.append(subprocess.Popen(command, env=os.environ | known, **pipes))
    said = [run.communicate()[0] for run in runs]
    return [float(figure) for figure in said[0].splitlines()[-1].split()]


def imports() -> None:
    """Time the import of the helpers against TensorFlow's own."""
    names = "models, metrics, training, plots, datasets"
    with tempfile.TemporaryDirectory() as folder:
        for name, code in {
            "import of tensorflow, a constant": "import tensorflow as t; t.constant(0)",
            "import of the helpers, with TensorFlow": f"from helpers import {names}",
        }.items():
            code = f"import sys; sys.path.insert(0, {str(paths.ROOT)!r}); {code}"
            command = [sys.executable, "-c", code]
            options = {"cwd": folder, "capture_output": True, "check": True}
            row(
                name,
                [seconds(subprocess.run, command, **options) for _ in range(REPEATS)],
                "s",
            )
