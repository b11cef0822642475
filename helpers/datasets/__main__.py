"""Download what is missing of the course's data: `python -m helpers.datasets`."""

from helpers import datasets

if __name__ == "__main__":
    print(datasets.load_mnist())
    print(datasets.load_cats())
