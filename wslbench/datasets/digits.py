"""scikit-learn's 8×8 handwritten digits (UCI Optical Recognition of Handwritten Digits, CC BY 4.0).

1,797 images of ten classes; 1,200 train and 597 test images by one fixed, class-stratified shuffle.
"""

from __future__ import annotations

import numpy as np

from wslbench.datasets._dataset import Dataset

TRAIN_SIZE = 1200
SPLIT_SEED = 0


def load() -> Dataset:
    """Read the images that ship with scikit-learn; grey values 0 to 16 become −1 to 1."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = (bunch.images.astype(np.float32) / 8.0 - 1.0)[:, None]
    labels = bunch.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)), train_size=TRAIN_SIZE, random_state=SPLIT_SEED, stratify=labels
    )
    return Dataset("digits", images[train], labels[train], images[test], labels[test], classes=10)
