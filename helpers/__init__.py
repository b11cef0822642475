"""Shared code of the course: what the notebooks need but do not teach.

In floors, each file importing only from those above it: ``runtime``, ``drawn_cats``, ``datasets``,
``distributions``, ``likelihoods``, ``layers``, ``models``, ``weights``, ``conditional``,
``training``, ``metrics``, ``plots``, ``animations``, ``explorer``, ``checks``. ``notebooks`` runs,
saves and stamps the notebooks themselves.
"""

REPOSITORY = "your-name/vae-course"  # changed everywhere by `make stamp REPO=owner/name`
TAG = "v0.1.0"  # the release that Colab clones; changed everywhere by `make stamp TAG=...`
