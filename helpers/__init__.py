"""Shared code of the course: what the notebooks need but do not teach."""

REPOSITORY = (
    "your-name/vae-course"  # changed everywhere by `make stamp REPO=owner/name`
)
TAG = "v0.1.0"  # the release that Colab clones; changed everywhere by `make stamp TAG=...`
