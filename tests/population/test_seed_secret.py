"""A zoo grown again from secret seeds: other networks of the same cells, and a secret that stays one."""

import base64
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import wslbench
from tests.engines.here import Here
from tests.population.recipes import TINY, tiny_recipe
from wslbench.cli.zoo import app
from wslbench.errors import RecipeError, ZooError
from wslbench.population.build import build_zoo, fingerprint
from wslbench.population.frozen_cutoffs import with_frozen_cutoffs
from wslbench.population.objective import recipe_dataset
from wslbench.population.recipe import Recipe
from wslbench.population.recipe_file import load_recipe
from wslbench.population.regrown_zoos import regrown_path, regrown_zoo
from wslbench.population.seed_secret import SeedSecret, read_seed_secret
from wslbench.training import seed_from
from wslbench.zoo import Zoo, ZooWriter, verify

SECRET = SeedSecret(b"correct horse battery staple")
OTHER = SeedSecret(b"another secret of enough bytes")
RUNNER = CliRunner()


def small_recipe() -> Recipe:
    """One cell, one checkpoint a run."""
    return tiny_recipe(
        load={"column": "width", "label": "width", "values": [2]},
        temperature={"label": "learning rate", "values": [0.05]},
        early_epoch=None,
        unfinished_check="none",
    )


@pytest.fixture(scope="module")
def zoos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Zoo]:
    folder = tmp_path_factory.mktemp("zoos")
    secrets = {"public": None, "secret": SECRET, "other": OTHER}
    grown = {
        name: build_zoo(small_recipe(), folder / name, engine=Here(), secret=secret).zoo
        for name, secret in secrets.items()
    }
    # Once in a process of its own, to which the secret has to find its way.
    return grown | {"again": build_zoo(small_recipe(), folder / "again", jobs=1, secret=SECRET).zoo}


def test_without_a_key_seeds_are_the_sha256_of_their_names_and_with_one_openssls_hmac() -> None:
    assert seed_from("tiny", "a", 0) == int(_openssl("sha256", b"tiny\x1fa\x1f0", []), 16) >> 1
    keyed = _openssl("sha256", b"tiny\x1fa\x1f0", ["-hmac", SECRET.key.decode()])
    assert seed_from("tiny", "a", 0, key=SECRET.key) == int(keyed, 16) >> 1


def _openssl(hash_name: str, text: bytes, options: list[str]) -> str:
    command = ["openssl", "dgst", f"-{hash_name}", *options]
    return subprocess.run(command, input=text, capture_output=True, check=True).stdout.decode().split()[-1][:16]


def test_same_secret_same_zoo_other_secret_other_networks(zoos: dict[str, Zoo]) -> None:
    assert zoos["secret"].versions == zoos["again"].versions
    weights = {zoo.versions["weights"] for zoo in zoos.values()}
    assert len(weights) == 3
    ids = [set(zoos[name].table.index) for name in ("public", "secret", "other")]
    assert len(set.union(*ids)) == sum(map(len, ids))
    assert all(verify(zoo) == [] for zoo in zoos.values())


def test_every_run_starts_elsewhere_and_cells_and_data_are_the_same(zoos: dict[str, Zoo]) -> None:
    public, secret = zoos["public"], zoos["secret"]
    assert list(public.cells["cell_id"]) == list(secret.cells["cell_id"])
    assert public.card.data_set == secret.card.data_set
    np.testing.assert_array_equal(
        recipe_dataset(small_recipe()).train_labels,
        recipe_dataset(Recipe.model_validate(_recorded(secret))).train_labels,
    )
    (ours,), (theirs,) = (zoo.models(zoo.table.index).by_architecture() for zoo in (public, secret))
    for name in ours.keys():  # noqa: SIM118 - no mapping
        if np.ptp(ours[name]) > 0:
            different = ours[name][:, None] != theirs[name][None]
            assert different.reshape(3, 3, -1).any(axis=2).all(), name


def _recorded(zoo: Zoo) -> dict[str, object]:
    added = {"trainer_version", "stacked", "seed_commitment"}
    return {name: value for name, value in zoo.card.recipe.items() if name not in added} | {"card": TINY["card"]}


def test_a_zoo_without_a_secret_says_nothing_of_one(zoos: dict[str, Zoo]) -> None:
    assert "seed_commitment" not in zoos["public"].card.recipe
    assert "seed_commitment" not in fingerprint(small_recipe())
    assert zoos["public"].card.namespace == "tiny"


def test_the_zoo_holds_the_commitment_and_not_the_secret(zoos: dict[str, Zoo]) -> None:
    zoo = zoos["secret"]
    assert zoo.card.recipe["seed_commitment"] == SECRET.commitment
    assert _files_with_the_secret(zoo.path.parent) == []
    assert SECRET.key.decode() not in repr(SECRET)


def _files_with_the_secret(folder: Path) -> list[Path]:
    key = SECRET.key
    forms = (key, key.hex().encode(), base64.b64encode(key).rstrip(b"="), key[:16])
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if any(form in path.read_bytes() for form in forms)]


def test_what_is_staged_goes_on_with_the_same_secret_alone(tmp_path: Path) -> None:
    ZooWriter(tmp_path / "zoo", fingerprint(small_recipe(), SECRET))
    assert _files_with_the_secret(tmp_path) == []
    for secret in (OTHER, None):
        with pytest.raises(ZooError, match="another recipe or seed secret"):
            build_zoo(small_recipe(), tmp_path / "zoo", jobs=1, secret=secret)
    ZooWriter(tmp_path / "zoo", fingerprint(small_recipe(), SECRET))


def test_the_cache_grows_once_a_recipe_and_secret(zoos: dict[str, Zoo], tmp_path: Path) -> None:
    recipe = small_recipe()
    path = regrown_path(recipe, SECRET, tmp_path)
    shutil.copytree(zoos["secret"].path, path)
    assert regrown_zoo(recipe, SECRET, tmp_path).versions == zoos["secret"].versions  # without growing
    moved = recipe.model_copy(update={"cutoffs": recipe.cutoffs.model_copy(update={"cka": 0.5})})
    assert len({path, regrown_path(recipe, OTHER, tmp_path), regrown_path(moved, SECRET, tmp_path)}) == 3
    shutil.copytree(zoos["public"].path, regrown_path(recipe, OTHER, tmp_path))
    with pytest.raises(ZooError, match="was not grown from this seed secret"):
        regrown_zoo(recipe, OTHER, tmp_path)


def test_frozen_cutoffs_are_carried_over_without_their_separability() -> None:
    public = wslbench.load_zoo("digits-cnn")
    carried = with_frozen_cutoffs(load_recipe("digits-cnn"), public).cutoffs
    # Those that digits-cnn-seeds took over by hand.
    assert carried == load_recipe("digits-cnn-seeds").cutoffs
    with pytest.raises(RecipeError, match="they differ in name"):
        with_frozen_cutoffs(load_recipe("digits-cnn-seeds"), public)
    fewer = load_recipe("digits-cnn").model_copy(update={"seeds": 4})
    with pytest.raises(RecipeError, match="they differ in seeds"):
        with_frozen_cutoffs(fewer, public)


def test_every_embedded_zoo_can_be_grown_again() -> None:
    for name in wslbench.zoo.embedded_zoos():
        assert with_frozen_cutoffs(load_recipe(name), wslbench.load_zoo(name)).cutoffs is not None


def test_a_secret_is_read_without_white_space_and_has_sixteen_bytes(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\n" + SECRET.key + b" \n")
    assert read_seed_secret(file) == SECRET
    file.write_bytes(b"fifteen bytes..\n")
    with pytest.raises(RecipeError, match="has 15 bytes, and at least 16"):
        read_seed_secret(file)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_seed_secret(tmp_path / "absent")


def test_the_command_warns_of_a_readable_file_and_asks_for_cutoffs(tmp_path: Path) -> None:
    file, recipe = tmp_path / "secret", tmp_path / "recipe.yaml"
    file.write_bytes(SECRET.key)
    recipe.write_text(yaml.safe_dump({name: value for name, value in TINY.items() if name != "cutoffs"}))
    command = ["build", str(recipe), "--out", str(tmp_path / "zoo"), "--seed-secret", str(file)]
    for mode, warned in ((0o644, True), (0o600, False)):
        file.chmod(mode)
        result = RUNNER.invoke(app, command)
        assert ("chmod 600" in result.output) is warned
        assert isinstance(result.exception, RecipeError)
        assert "name its public zoo by --public" in str(result.exception)
    assert not (tmp_path / "zoo.partial").exists()
    with pytest.raises(RecipeError, match="takes over those of the public one"):
        build_zoo(tiny_recipe(cutoffs=None), tmp_path / "zoo", secret=SECRET)
