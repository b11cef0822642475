"""``GuardedModel``: Keras's methods, with a look at the data on its way in."""

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras

from helpers.engine import checked
from helpers.engine.batches import Watch

KEYS = ("x", "y", "sample_weight")


def guarded(name: str, purpose: str) -> Callable:
    """Return Keras's method of that name, which gets its data checked."""
    method = getattr(keras.Model, name)
    signature = inspect.signature(method)

    @functools.wraps(method)
    def look_and_call(self, *args, **kwargs):
        given = dict(signature.bind(self, *args, **kwargs).arguments)
        given.update(given.pop("kwargs", {}))
        if given.get("_use_cached_eval_dataset"):  # fit's, which looked when it began
            return method(**given)
        with Watch(lambda batch: self.checked_batch(batch, purpose)) as watch:
            refuse_class_weight(given.get("class_weight"))
            if purpose == "train":
                refuse_ended_rate(self)
                build_optimizer(self)
            whole = [given.get(key) for key in KEYS]
            let_in = zip(KEYS, self.let_in(watch, purpose, *whole), strict=True)
            given |= {key: part for key, part in let_in if part is not None}
            if (held_out := given.get("validation_data")) is not None:
                parts = held_out if isinstance(held_out, tuple | list) else (held_out,)
                given["validation_data"] = self.let_in(watch, purpose, *parts)
            return method(**given)

    return look_and_call


class GuardedModel(keras.Model):
    """A model whose arrays are checked whole, and of data sets the first batches.

    Subclasses give ``checked_data``. ``purpose`` is "train", "measure" or "look".
    """

    fit = guarded("fit", "train")
    train_on_batch = guarded("train_on_batch", "train")
    evaluate = guarded("evaluate", "measure")
    test_on_batch = guarded("test_on_batch", "measure")
    predict = guarded("predict", "look")
    predict_on_batch = guarded("predict_on_batch", "look")

    def compile(self, *args, **kwargs):
        """Keras's.

        Raises:
            ValueError: ``jit_compile`` is True under several devices.
        """
        if kwargs.get("jit_compile") is True:
            refuse_xla_on_several_devices(self)
        super().compile(*args, **kwargs)

    def compile_from_config(self, config: dict) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def save(self, filepath: Any, *args, **kwargs):
        """Keras's, in a ``.keras`` file.

        Raises:
            ValueError: the name ends in ``.h5``, which holds no model of this kind.
        """
        if str(filepath).lower().endswith((".h5", ".hdf5")):
            raise ValueError(
                f"a model is saved in a .keras file, and not in {str(filepath)!r}, "
                "which can't hold its classes: save('model.keras'), or the weights "
                "alone, save_weights('model.weights.h5')"
            )
        super().save(filepath, *args, **kwargs)

    def checked_data(
        self, x: Any, y: Any, weights: Any, purpose: str, **options
    ) -> tuple:
        """Return x, targets and weights as float32; ValueError unless they fit.

        ``options`` are those of ``checked.pictures``, for x.
        """
        raise NotImplementedError

    def checked_batch(self, batch: Any, purpose: str) -> tuple:
        """Check a batch of a data set: x, (x,), (x, y) or (x, y, sample_weight)."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
        return self.checked_data(x, y, weights, purpose)

    def let_in(self, watch: Watch, purpose: str, x, y=None, weights=None) -> tuple:
        """Return arrays as they were checked; any other source of batches, watched."""
        arrays = isinstance(x, tuple | list | dict | str | None)
        if not (
            arrays or hasattr(x, "__array__")
        ):  # Keras refuses targets and weights beside these
            return watch.over(x), y, weights
        return self.checked_data(x, y, weights, purpose)


def refuse_class_weight(weights: dict | None) -> None:
    """Raise ValueError if there are weights of classes."""
    if weights is not None:
        raise ValueError(
            f"class_weight {weights!r} needs labels for targets, and targets here are "
            "pictures: give sample_weight, [class_weight[label] for label in y]"
        )


def steps_taken(optimizer: keras.Optimizer) -> int:
    """Return its steps so far, also where each of several devices counts them."""
    return int(keras.ops.convert_to_numpy(optimizer.iterations))


def refuse_xla_on_several_devices(model: keras.Model) -> None:
    """Raise ValueError if ``tf.distribute`` spreads a model: XLA does not."""
    strategy = getattr(model, "distribute_strategy", None)  # on TensorFlow alone
    replicas = getattr(strategy, "num_replicas_in_sync", 1)
    if replicas > 1:
        raise ValueError(
            f"jit_compile=True can't compile a step for {replicas} replicas of "
            f"{type(strategy).__name__}: leave it out, or train on one device"
        )


def refuse_ended_rate(model: keras.Model) -> None:
    """Raise ValueError if the learning rate has come to its end, at 0."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not steps_taken(optimizer):
        return
    rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    if not rate > 0:
        raise ValueError(
            f"the learning rate is {rate:g} after {steps_taken(optimizer):,} steps, "
            "the end of training.train's cycle, and no weight would move: call train "
            "again, or compile the model with a new optimizer, such as "
            "keras.optimizers.Adam(1e-4), and fit"
        )


def build_optimizer(model: keras.Model) -> None:
    """Make the optimiser's variables before Keras would, within its first step.

    TensorFlow traces a step that makes variables twice.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built and model.trainable_variables:
        strategy = getattr(model, "distribute_strategy", None)  # on TensorFlow alone
        with strategy.scope() if strategy else contextlib.nullcontext():
            optimizer.build(model.trainable_variables)


def checked_arrays(
    model: keras.Model, x: Any, targets: Any, name: str, fewest: int
) -> tuple[Any, Any]:
    """Return pictures and targets as float32; ValueError unless they fit the model.

    They need no other look: ``training.train`` passes them to ``keras.Model.fit``.
    """
    y = x if targets is None else targets
    if isinstance(model, GuardedModel):
        x, y, _ = model.checked_data(x, y, None, "train", name=name, fewest=fewest)
    else:
        span = checked.UNIT if targets is None else checked.NEAR
        x = checked.pictures(x, sizes(model, "input_shape"), name, span, fewest)
        if not model.built:  # so that it has weights to go back to
            model(x[:1])
        if targets is not None:
            y = checked.pictures(targets, sizes(model, "output_shape"), "targets")
            numbers = (array.reshape(len(array), -1)[:, 0] for array in (x, y))
            checked.same_shape(**dict(zip((name, "targets"), numbers, strict=True)))
    return x, None if targets is None else y


def sizes(model: keras.Model, name: str) -> tuple:
    """Return the shape of one picture, as a model has declared it."""
    shape = getattr(model, name, None) if getattr(model, "built", False) else None
    return tuple(shape[1:]) if shape else ("height", "width", "channels")
