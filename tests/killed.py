"""A process that forks children, each of which does a task and may be killed in it.

For test_interruption.py: reads a line of JSON per child, and answers with the child's
exit status. A child of this process saves the imports. TensorFlow must not have
computed anything before a fork, so the quiet start is kept from starting it.
"""

import itertools
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

import keras
import numpy as np
from campaign import tries

STEPS, ROUNDS = tries(4, 75), tries(4, 25)  # 4 steps need no trace, which takes seconds


def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def die(moment, count, part):
    """Arrange to be killed.

    Args:
        moment: "writing": at a byte of a file, by the kernel; "replacing" or
            "replaced": before or after a file gets its name; "evaluating"; "early" or
            "late": any time after the start of the training, or of its second round.
        count: which file, or which evaluation.
        part: how much of the file (of as much as was there before), or seconds.
    """
    from helpers.engine import files

    whole, replace, calls = files.whole, os.replace, itertools.count(1)

    def limited(path):
        import resource  # which Windows lacks

        if next(calls) == count:
            size = path.stat().st_size if path.exists() else 10_000
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(part * size),) * 2)
        return whole(path)

    def replaced(source, target):
        ours = str(source).endswith(".unfinished") and next(calls) == count
        if not (ours and moment == "replacing"):
            replace(source, target)
        if ours:
            kill()

    if moment == "writing":
        files.whole = limited
    elif moment in ("replacing", "replaced"):
        os.replace = replaced
    elif moment == "early":
        threading.Timer(part, kill).start()
    evaluations = itertools.count(1)
    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: (
            moment == "late" and threading.Timer(part, kill).start()
        ),
        on_test_batch_end=lambda batch, logs: (
            moment == "evaluating" and next(evaluations) == count and kill()
        ),
    )


def tiny_vae():
    """A VAE with all that an interruption could lose: two streams of noise, a running
    sigma, a beta that counts steps."""
    from helpers import likelihoods, models, training

    pictures = keras.Input((8, 8, 1))
    features = keras.layers.Dropout(0.2)(keras.layers.Flatten()(pictures))
    encoder = keras.Model(pictures, models.heads(features, 2, ("z_mean", "z_log_var")))
    decoder = models.dense_decoder((8, 8, 1), 2, hidden=())
    likelihood, beta = likelihoods.Gaussian("optimal"), training.warm_up(STEPS)
    return models.VAE(encoder, decoder, likelihood=likelihood, beta=beta)


def train(backup, out, seed=0, callback=None):
    """Train the tiny VAE and write down everything that came out."""
    from helpers import training

    started = backup is not None and (Path(backup) / "training.backup").exists()
    keras.utils.set_random_seed(seed if started else 0)
    x = np.random.default_rng(0).uniform(size=(44, 8, 8, 1)).astype("float32")
    vae, callbacks = tiny_vae(), [callback] if callback else []
    options = {"steps": STEPS, "rounds": ROUNDS, "batch_size": 8, "verbose": False}
    options |= {"held_out": x[36:], "backup": backup, "callbacks": callbacks}
    history = training.train(vae, x[:36], **options)
    del history["seconds"]
    variables = [*vae.variables, *vae.optimizer.variables]
    kept = {f"{index}": v.value.numpy() for index, v in enumerate(variables)}
    np.savez(out, **history, **kept)


def write(path, number, **_):
    """Write a file that holds ``number`` very often."""
    from helpers.engine import files

    with files.whole(Path(path)) as file:
        for _ in range(100):
            file.write(bytes([number]) * 1000)


TASKS = {"train": train, "write": write}


def child(task, arguments, death):
    """Do one task; exit with 0, or 1 after an error."""
    try:
        callback = die(*death) if death else None
        TASKS[task](**arguments, callback=callback)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what children print
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            child(**json.loads(line))
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        print(status, file=answers, flush=True)


if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "imported"
    from helpers.engine import quiet_start

    quiet_start.ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
    from helpers import training  # noqa: F401

    main()
