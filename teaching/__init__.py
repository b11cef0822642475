"""For teachers: notebooks without answers, and marks for those that come back."""

import helpers.engine.light_schemas  # before nbformat
