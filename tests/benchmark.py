"""How fast is the course on this machine? Not a test: timings never pass or fail.

python tests/benchmark.py [PART ...]

Every figure is the median of three runs, with the range in brackets. Let the machine do
nothing else meanwhile.
"""

import argparse
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import keras
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from sklearn.manifold import TSNE

from helpers import datasets, metrics, models, plots, training
from helpers.engine import paths, results
from helpers.engine.studies import cats as cat_study
from helpers.engine.studies import ladder as ladder_study
from helpers.plots.films import Points, drawn, film, tsne_frames

REPEATS = 3
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
TARGETS = (105.6, 95.0, 90.0)  # nats per held-out digit


def row(name: str, figures: list[float], unit: str) -> None:
    """Print a median and a range."""
    low, middle, high = np.quantile(figures, [0, 0.5, 1])
    print(f"{name:58s}{middle:10.2f} [{low:.2f}, {high:.2f}] {unit}", flush=True)


def seconds(function, *arguments, **options) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start


def trained(x, latents: int, steps: int, seed: int = 0, **options):
    """Return a default VAE, and its training's seconds, compilation included."""
    keras.utils.set_random_seed(seed)
    vae = models.build_vae(x.shape[1:], latents)
    options |= {"rounds": 1, "seed": seed, "jit_compile": True, "verbose": False}
    history = training.train(vae, x, steps=steps, **options)
    return vae, history["seconds"]


def digits() -> None:
    """Held-out nats of default VAEs after some steps, and the seconds of these."""
    data = datasets.load_mnist()
    for latents, options in (
        (32, {"steps": 720, "batch_size": 96, "learning_rate": 6e-3}),
        (
            32,
            {
                "steps": 2800,
                "batch_size": 256,
                "learning_rate": 7e-3,
                "weight_decay": 0.1,
            },
        ),
        (2, {"steps": 700, "batch_size": 256, "learning_rate": 7e-3}),
    ):
        runs = [
            trained(data.x_train, latents, seed=seed, **options)
            for seed in range(REPEATS)
        ]
        name = (
            f"{latents} latents, {options['steps']:,} steps of {options['batch_size']}"
        )
        row(f"{name}: training", [time_taken for _, time_taken in runs], "s")
        bounds = [-metrics.elbo(vae, data.x_test).elbo for vae, _ in runs]
        row(f"{name}: -ELBO", bounds, "nats")


def products(batch: int, sizes: list[int], repeats: int = 20):
    """Return a function that times the matrix products of a step of dense layers."""
    import tensorflow as tf

    pairs = list(itertools.pairwise(sizes))
    x = [tf.random.normal((batch, rows)) for rows, _ in pairs]
    w = [tf.random.normal(pair) for pair in pairs]
    g = [tf.random.normal((batch, columns)) for _, columns in pairs]

    @tf.function
    def run():
        total = 0.0
        for _ in tf.range(repeats):
            for a, b, c in zip(x, w, g, strict=True):
                forwards, backwards = a @ b, tf.matmul(c, b, transpose_b=True)
                total += forwards[0, 0] + backwards[0, 0]
                total += tf.matmul(a, c, transpose_a=True)[0, 0]
        return total

    run()
    return lambda: seconds(run) / repeats


def step() -> None:
    """Time a default VAE's step against its matrix products, and what feeds it."""
    x = datasets.load_mnist().x_train
    encoder, decoder = models.ENCODER_WIDTHS, models.DECODER_WIDTHS
    widths = [784, *encoder, 64], [32, *decoder, 784]
    floor, whole, feeding = [], [], []
    for _ in range(REPEATS):
        floor.append(1000 * sum(products(128, sizes)() for sizes in widths))
        few, many = (trained(x, 32, steps)[1] for steps in (100, 700))
        whole.append((many - few) / 0.6)
        batches = iter(training.endless_batches(x, None, 128, 0))
        next(batches)
        feeding.append(
            1000 * seconds(lambda it=batches: [next(it) for _ in range(500)]) / 500
        )
    row("one training step of 128 digits", whole, "ms")
    row("its matrix products alone", floor, "ms")
    row(
        "share of the step",
        [100 * a / b for a, b in zip(floor, whole, strict=True)],
        "%",
    )
    row("one batch from the feeding pipeline, alone", feeding, "ms")


def evaluation() -> None:
    """Time bounds and pictures of a trained model."""
    data = datasets.load_mnist()
    vae, plane = trained(data.x_train, 32, 100)[0], trained(data.x_train, 2, 100)[0]
    binary = metrics.binarised(data.x_test[:1000])
    codes = plots.manifold_codes(plane, 30)

    def manifold():
        plots.image_grid(plane.decode(codes), 30, "manifold").canvas.draw()

    for name, function in {
        "ELBO of 10,000 digits": lambda: metrics.elbo(vae, data.x_test),
        "IWAE bound of 1,000 digits, K = 100": lambda: metrics.iwae_bound(
            vae, binary, 100
        ),
        "manifold of 30 x 30, decoded and drawn": manifold,
    }.items():
        row(name, [seconds(function) for _ in range(REPEATS)], "s")


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


def straightforward_cats() -> models.VAE:
    """Return the VAE of most tutorials: 3 x 3 kernels, and a last layer at full size.

    With SiLU, as in the helpers, it learns as much in as many steps; with ReLU less.
    """
    layers, latents = keras.layers, 64
    picture, code = keras.Input((64, 64, 3)), keras.Input((latents,))
    features = picture
    for filters in (32, 64, 128):
        features = layers.Conv2D(filters, 3, 2, "same", activation="silu")(features)
    features = layers.Flatten()(features)
    heads = [layers.Dense(latents)(features) for _ in range(2)]
    features = layers.Reshape((8, 8, 128))(layers.Dense(8 * 8 * 128, "silu")(code))
    for filters in (128, 64, 32):
        features = layers.Conv2DTranspose(filters, 3, 2, "same", activation="silu")(
            features
        )
    pixels = layers.Conv2DTranspose(3, 3, padding="same")(features)
    return models.VAE(
        keras.Model(picture, heads), keras.Model(code, pixels), likelihood="gaussian"
    )


def cats() -> None:
    """Pictures per second in training, and what was learnt, by two cat models."""
    data = datasets.load_cats(limit=8_000)
    makers = {
        "straightforward": straightforward_cats,
        "helpers": lambda: models.build_cat_vae(data.image_shape),
    }
    for name, make in makers.items():
        speeds, bits = [], []
        for seed in range(REPEATS):
            keras.utils.set_random_seed(seed)
            vae = make()
            options = {"batch_size": 32, "rounds": 1, "seed": seed, "verbose": False}
            few = training.train(vae, data.x_train, steps=20, **options)["seconds"]
            keras.utils.set_random_seed(seed)
            vae = make()
            options["learning_rate"] = 2e-3
            many = training.train(vae, data.x_train, steps=420, **options)["seconds"]
            speeds.append(400 * 32 / (many - few))
            bits.append(metrics.bits_per_dimension(vae, data.x_test))
        row(f"cats, {name}: training", speeds, "pictures per second")
        row(f"cats, {name}: after 420 steps of 32", bits, "bits per dimension")


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


def films() -> None:
    """Time a film and a t-SNE map against Matplotlib's and scikit-learn's own."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(10, 16))
    labels = np.arange(1000) % 10
    end = centres[labels] + 0.3 * rng.normal(size=(1000, 16))
    frames = np.linspace(0.1, 1, 30)[:, np.newaxis, np.newaxis] * end
    captions = [f"epoch {index}" for index in range(len(frames))]
    panel = Points(frames[..., :2], labels)

    def by_matplotlib(path):
        figure, heading, (show,) = drawn({"codes": panel}, width=7.6)

        def update(index):
            heading.set_text(captions[index])
            show(index)

        FuncAnimation(figure, update, len(frames)).save(path, PillowWriter())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.gif"
        for name, make in {
            "film of 30 frames: helpers": lambda: film(
                path, {"codes": panel}, captions
            ),
            "film of 30 frames: Matplotlib's PillowWriter": lambda: by_matplotlib(path),
        }.items():
            row(name, [seconds(make) for _ in range(REPEATS)], "s")
    for name, make in {
        "t-SNE of 1,000 codes, per frame: helpers": lambda: tsne_frames(frames[-6:]),
        "t-SNE of 1,000 codes, per frame: scikit-learn": lambda: [
            TSNE(2, random_state=0).fit_transform(codes) for codes in frames[-6:]
        ],
    }.items():
        row(name, [seconds(make) / 6 for _ in range(REPEATS)], "s")


class Reached(keras.callbacks.Callback):
    """Note when the held-out loss first reaches each target, in seconds."""

    def on_train_begin(self, logs=None):
        self.start, self.seconds = time.perf_counter(), {}

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter() - self.start
        for target in TARGETS:
            if logs["val_loss"] <= target:
                self.seconds.setdefault(target, now)


def gpu() -> None:
    """Seconds to some held-out nats, and cats per second, by precision.

    On the device that Keras's backend finds. Compilation counts in the seconds, and not
    in the cats. Once each: on a lent machine time is short.
    """
    print(f"{keras.backend.backend()} on {keras.distribution.list_devices()}")
    data = datasets.load_mnist()
    for precision in PRECISIONS:
        keras.config.set_dtype_policy(precision)
        options = {"batch_size": 512, "learning_rate": 7e-3, "weight_decay": 0.1}
        keras.utils.set_random_seed(0)
        vae, reached = models.build_vae(latent_size=32), Reached()
        history = training.train(
            vae,
            data.x_train,
            steps=6000,
            held_out=data.x_validation,
            rounds=60,
            verbose=False,
            jit_compile=True,
            callbacks=[reached],
            **options,
        )
        for target in TARGETS:
            name = f"{precision}: to {target} nats per held-out digit"
            if target in reached.seconds:
                row(name, [reached.seconds[target]], "s")
            else:
                print(f"{name}: not reached")
        row(f"{precision}: after 6,000 steps", [history["val_loss"][-1]], "nats")
        row(f"{precision}: these steps", [history["seconds"]], "s")
    keras.config.set_dtype_policy("float32")
    for name, precision in itertools.product(("plain", "two_blocks"), PRECISIONS):
        for batch in (32, 256):
            speed = cats_per_second(name, precision, batch)
            row(f"{precision}: cats, {name}, {batch} per step", [speed], "per second")


def cats_per_second(rung: str, precision: str, batch: int) -> float:
    """Return how many pictures per second a network of the cats' ladder learns from."""
    x = np.random.default_rng(0).random((1024, 64, 64, 3), "float32")
    keras.config.set_dtype_policy(precision)
    vae = cat_study.build(cat_study.USUAL | cat_study.RUNGS[rung])
    keras.config.set_dtype_policy("float32")
    times = {}

    def note(number, logs):
        times[number + 1] = time.perf_counter()

    clock = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    options = {"batch_size": batch, "rounds": 1, "verbose": False}
    training.train(vae, x, steps=220, callbacks=[clock], **options)
    return 200 * batch / (times[220] - times[20])


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


def ladder() -> None:
    """Print who was first below some nats per binary digit, in seconds of training.

    An entry is a rung of ``helpers/engine/studies/ladder.py``, and its log a curve in
    data/results: `python -m helpers.engine.results ladder` trains what they lack.
    """
    rows = results.read_csv(results.RESULTS / "ladder.csv")
    print("nats  seconds  machine            rung")
    for best in ladder_study.board(rows):
        told = f"{best['rung']}, {best['steps']} steps: {float(best['nll']):.2f} nats"
        print(
            f"{best['target']:4d}{best['seconds']:9.0f}  {best['machine']:18s} {told}"
        )


PARTS = (digits, step, evaluation, cats, growth, films, imports, gpu, processes, ladder)


def main(arguments: list[str] | None = None) -> None:
    """Run the parts that are named, or all of them."""
    known = {part.__name__: part for part in PARTS}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help=f"of {', '.join(known)}; none: all")
    names = parser.parse_args(arguments).part or list(known)
    if wrong := set(names) - set(known):
        parser.error(f"no part is called {', '.join(wrong)}")
    for name in names:
        known[name]()


if __name__ == "__main__":
    main()
