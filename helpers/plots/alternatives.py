"""What a figure shows, in words, for those who don't see it."""

import sys


def describe(text: str) -> None:
    """Give the figure that a notebook's cell shows a text alternative.

    Call it once per figure, in the figures' order, before the cell ends. Nothing is
    shown: whoever saves the notebook or makes a page of it finds the words in the
    cell's outputs and stores them with the picture. Outside notebooks it does nothing.

    Args:
        text: what the figure shows, its finding first, with the figure's own numbers;
            line ends and runs of spaces become single spaces.

    Raises:
        TypeError: ``text`` is no string.
        ValueError: ``text`` has fewer than three words.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected words, and got {type(text).__name__}: {text!r}")
    words = text.split()
    if len(words) < 3:
        raise ValueError(f"an alternative says what the figure shows; got {text!r}")
    if "IPython" in sys.modules:
        from IPython import display, get_ipython

        if get_ipython() is not None:  # no data, so no front end shows anything
            display.publish_display_data({}, {"alt": " ".join(words)})
