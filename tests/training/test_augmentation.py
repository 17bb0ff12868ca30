"""Augmentation against explicit slicing, mirroring and scipy's rotation, image by image."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch
from pydantic import ValidationError

from wslbench.training.augmentation import Augmentation, AugmentedImages

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 3, 12, 10), dtype=np.uint8)


def ready(pixels):
    return (pixels / 255.0 - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))


def generators(*seeds):
    return [np.random.default_rng(seed) for seed in seeds]


def index_of(size, batch, count=20):
    return np.random.default_rng(9).integers(0, count, (size, batch))


class Untouchable(np.random.Generator):
    """A generator that refuses to draw."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def random(self, *arguments, **options):
        raise AssertionError("a random number was drawn")


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(shift=2, probability=0)])
def test_without_augmentation_nothing_changes_and_nothing_is_drawn(pixels, augmentation):
    floats = torch.from_numpy(pixels).double()
    index = index_of(2, 7)
    batch = AugmentedImages(floats, augmentation).batch(index, [Untouchable(), Untouchable()])
    assert torch.equal(batch, floats[torch.from_numpy(index)])


def test_shifts_are_slices_of_the_padded_image(pixels):
    images = torch.from_numpy(pixels).float()
    index = index_of(2, 60)
    got = AugmentedImages(images, Augmentation(shift=2, probability=0.7, fill=-3)).batch(index, generators(4, 5))
    padded = np.pad(pixels.astype(np.float32), ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=-3)
    for row, generator in enumerate(generators(4, 5)):
        places, moves = generator.random((2, 60))
        for column, image in enumerate(index[row]):
            y, x = divmod(int(places[column] * 25), 5) if moves[column] < 0.7 else (2, 2)
            assert np.array_equal(got[row, column], padded[image, :, y : y + 12, x : x + 10])


def test_crops_and_flips_of_bytes_are_normalised_afterwards(pixels):
    augmentation = Augmentation(crop_padding=3, flip=True)
    index = index_of(3, 40)
    images = AugmentedImages(torch.from_numpy(pixels), augmentation, MEAN, STD)
    got = images.batch(index, generators(1, 2, 3))
    assert got.dtype == torch.float32
    black = np.pad(pixels, ((0, 0), (0, 0), (3, 3), (3, 3)))
    for row, generator in enumerate(generators(1, 2, 3)):
        corners = (generator.random((2, 40)) * 7).astype(int)
        mirrored = generator.random(40) < 0.5
        for column, image in enumerate(index[row]):
            y, x = corners[:, column]
            window = black[image, :, y : y + 12, x : x + 10]
            expected = ready(window[..., ::-1] if mirrored[column] else window)
            assert np.allclose(got[row, column], expected, atol=1e-6)


def test_clean_images_are_normalised_and_left_alone(pixels):
    images = AugmentedImages(torch.from_numpy(pixels), Augmentation(crop_padding=4, flip=True), MEAN, STD)
    assert np.allclose(images.clean(slice(3, 9)), ready(pixels[3:9]), atol=1e-6)
    assert np.allclose(images.clean(np.array([7, 0, 7])), ready(pixels[[7, 0, 7]]), atol=1e-6)
    plain = AugmentedImages(torch.from_numpy(pixels), Augmentation())
    assert np.allclose(plain.clean(slice(None)), pixels / 255, atol=1e-7)
    images.batch(index_of(1, 20), generators(0))
    assert np.allclose(images.clean(slice(None)), ready(pixels), atol=1e-6)  # drawing changes no image


@pytest.mark.parametrize(("interpolation", "order"), [("nearest", 0), ("bilinear", 1)])
@pytest.mark.parametrize("shape", [(12, 12), (9, 14)])
def test_rotations_are_scipys(interpolation, order, shape):
    rng = np.random.default_rng(1)
    images = rng.normal(size=(6, 2, *shape))
    index = index_of(1, 30, 6)
    augmentation = Augmentation(rotation=35, interpolation=interpolation, fill=0.5)
    got = AugmentedImages(torch.from_numpy(images), augmentation).batch(index, generators(7))[0].numpy()
    angles = 35 * (2 * np.random.default_rng(7).random(30) - 1)
    y, x = np.indices(shape) - (np.array(shape).reshape(2, 1, 1) - 1) / 2
    inside_all, outside_all = 0, 0
    for number, angle in enumerate(angles):
        expected = scipy.ndimage.rotate(
            images[index[0, number]], angle, axes=(2, 1), order=order, reshape=False, cval=0.5, mode="constant"
        )
        sine, cosine = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
        source = np.stack([sine * x + cosine * y, cosine * x - sine * y])
        beyond = np.abs(source) - (np.array(shape).reshape(2, 1, 1) - 1) / 2
        inside, outside = (beyond < -0.01).all(0), (beyond > 1.01).any(0)
        if order == 0:  # a source half-way between two pixels goes to either
            places = source + (np.array(shape).reshape(2, 1, 1) - 1) / 2
            inside &= (np.abs(places - np.floor(places) - 0.5) > 1e-4).all(0)
        assert np.allclose(got[number][:, inside], expected[:, inside], atol=1e-5)
        assert np.all(got[number][:, outside] == 0.5)
        inside_all, outside_all = inside_all + inside.sum(), outside_all + outside.sum()
    assert inside_all > 0.6 * 30 * y.size
    assert outside_all > 0


def test_a_positive_angle_turns_counter_clockwise():
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 2, 4] = 1.0  # to the right of the centre

    class Largest(np.random.Generator):
        def random(self, size=None, *arguments, **options):
            return np.ones(size)

    images = AugmentedImages(image, Augmentation(rotation=90, fill=0))
    turned = images.batch(np.zeros((1, 1), dtype=np.int64), [Largest(np.random.PCG64(0))])
    assert turned[0, 0, 0].nonzero().tolist() == [[0, 2]]  # above it


def test_bytes_that_turn_have_black_corners():
    white = torch.full((1, 3, 16, 16), 255, dtype=torch.uint8)
    images = AugmentedImages(white, Augmentation(rotation=45), MEAN, STD)
    values = images.batch(np.zeros((1, 50), dtype=np.int64), generators(0))[0]
    black, bright = ready(np.zeros((3, 1, 1))), ready(np.full((3, 1, 1), 255))
    for channel in range(3):
        seen = np.unique(values[:, channel].numpy())
        assert np.allclose(seen, sorted([black[channel, 0, 0], bright[channel, 0, 0]]), atol=1e-5)
    assert np.allclose(values[:, :, 8, 8], bright[:, 0, 0], atol=1e-5)


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(shift=1, probability=0.5),
        Augmentation(crop_padding=4, flip=True),
        Augmentation(crop_padding=2, flip=True, rotation=20),
        Augmentation(shift=1, rotation=180, interpolation="bilinear"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_row_does_not_depend_on_its_company(pixels, augmentation, size):
    images = AugmentedImages(torch.from_numpy(pixels), augmentation, MEAN, STD)
    index = index_of(size, 33)
    together = images.batch(index, generators(*range(size)))
    for row in range(size):
        assert torch.equal(images.batch(index[row : row + 1], generators(row))[0], together[row])


def test_draws_are_uniform():
    marked = torch.zeros(1, 1, 9, 9)
    marked[0, 0, 4, 4] = 1.0
    index = np.zeros((2, 10_000), dtype=np.int64)

    crops = AugmentedImages(marked, Augmentation(crop_padding=2, fill=0)).batch(index, generators(0, 1))
    counts = crops.sum((0, 1, 2))[2:7, 2:7]
    assert counts.sum() == 20_000
    assert counts.numpy() == pytest.approx(np.full((5, 5), 800), abs=150)  # more than five standard deviations

    marked[0, 0, 4] = torch.arange(9)
    flips = AugmentedImages(marked, Augmentation(flip=True)).batch(index, generators(2, 3))
    assert (flips[..., 4, 0] == 8).double().mean().item() == pytest.approx(0.5, abs=0.02)

    wide = torch.arange(101.0).expand(1, 1, 101, 101) - 50  # the pixel above the centre shows the sine of the angle
    turned = AugmentedImages(wide, Augmentation(rotation=30, interpolation="bilinear", fill=0)).batch(
        index[:, :300], generators(4, 5)
    )
    angles = np.rad2deg(np.arcsin(turned[:, :, 0, 10, 50].numpy() / 40)).ravel()
    assert scipy.stats.kstest(angles, "uniform", (-30, 60)).pvalue > 0.01


@pytest.mark.parametrize(
    "fields",
    [
        {"shift": -1},
        {"probability": 1.5},
        {"crop_padding": -1},
        {"rotation": -5},
        {"rotation": 200},
        {"interpolation": "cubic"},
        {"mixup": 0.2},
    ],
)
def test_impossible_settings_are_refused(fields):
    with pytest.raises(ValidationError, match=next(iter(fields))):
        Augmentation(**fields)
