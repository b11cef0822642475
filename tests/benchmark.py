"""How fast is the course on this machine? Not a test: timings never pass or fail.

python tests/benchmark.py [PART ...]
python tests/benchmark.py ladder [ENTRY --minutes M]

Every figure is the median of three runs, with the range in brackets. Let the machine do
nothing else meanwhile. The ladder's table is made of logs: see ``ladder_board.py``.
"""

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import board_logs
import keras
import ladder_board
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from sklearn.manifold import TSNE
from timed_processes import growth, imports, processes
from timings import REPEATS, row, seconds

from helpers import datasets, metrics, models, plots, training
from helpers.engine.studies import cats as cat_study
from helpers.plots.films import Points, drawn, film, tsne_frames

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
TARGETS = (105.6, 95.0, 90.0)  # nats per held-out digit


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


def ladder() -> None:
    """Print who was first below some nats per binary digit, in seconds of training."""
    print(board_logs.as_text(board_logs.table()))


PARTS = (digits, step, evaluation, cats, growth, films, imports, gpu, processes, ladder)


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are named, or all of them; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["ladder"]:
        return ladder_board.main(arguments[1:])
    known = {part.__name__: part for part in PARTS}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", help=f"of {', '.join(known)}; none: all")
    names = parser.parse_args(arguments).part or list(known)
    if wrong := set(names) - set(known):
        parser.error(f"no part is called {', '.join(wrong)}")
    for name in names:
        known[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
