"""Shared code of the course: what the notebooks need but do not teach."""

# `make stamp REPO=owner/name TAG=v1.0` changes both wherever they stand.
REPOSITORY = "your-name/vae-course"
TAG = "v1.0.0"  # the release that Colab clones, and the package's version
