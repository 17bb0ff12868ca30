"""Definitions of published codes: what each of their settings does, by hand, and a zoo that is annotated by one."""

import numpy as np
import pytest
import torch
import yaml
from torch.nn.functional import cross_entropy, softmax

from tests.annotation.foreign import OPTIONS, foreign_zoo
from tests.engines.here import Here
from tests.landscape.hessian.problems import EVERYTHING, SIZE, exact_hessian, small_networks
from tests.population.recipes import tiny_recipe
from tests.training.problems import classification
from wslbench.annotation.annotate_zoo import annotate_zoo
from wslbench.annotation.definition import DEFINITIONS_PATH, SimilarityDefinition, load_definition
from wslbench.annotation.options import options_of
from wslbench.annotation.order_parameters import cka_of_pairs, drawn_samples, hessian_columns
from wslbench.architectures import Architecture
from wslbench.datasets import load_dataset
from wslbench.errors import LandscapeError
from wslbench.landscape.connectivity import bezier, fit_curves
from wslbench.landscape.hessian import power_iteration
from wslbench.landscape.similarity import linear_cka
from wslbench.population.build import build_zoo
from wslbench.training import Convection, ModelStack, Optimisation
from wslbench.training.objectives import DrawnSamples


@pytest.fixture(scope="module")
def problem():
    stack, inputs, labels, _ = small_networks()
    return stack, classification(inputs, labels), inputs, labels


def outputs_of(stack, row, inputs):
    network = stack.architecture.module().eval()
    tensors = stack.parameters | stack.statistics
    network.load_state_dict({name: tensor[row] for name, tensor in tensors.items()}, strict=False)
    with torch.no_grad():
        return network(inputs)


def test_every_definition_that_ships_loads_by_its_name():
    names = sorted(path.stem for path in DEFINITIONS_PATH.glob("*.yaml"))
    assert names == ["ptmz", "wslbench", "yang2021"]
    assert [load_definition(name).name for name in names] == names


def test_curves_of_published_codes_by_hand():
    """Ten epochs: rate 1 up to the fifth, then down by .2475 an epoch to .01 at the ninth."""
    plain = Optimisation(epochs=10, batch_size=1, learning_rate=1, schedule="plateau_linear")
    factors = [plain.rate_factor(step, 3, 10) for step in range(0, 30, 3)]
    assert factors == pytest.approx([1, 1, 1, 1, 1, 0.7525, 0.505, 0.2575, 0.01, 0.01])
    assert plain.rate_factor(17, 3, 10) == plain.rate_factor(15, 3, 10)
    compounding = load_definition("ptmz").curve.optimisation
    factors = [compounding.rate_factor(step, 3, 10) for step in range(0, 30, 3)]
    falling = [0.7525, 0.7525 * 0.505, 0.7525 * 0.505 * 0.2575]
    assert factors == pytest.approx([1, 1, 1, 1, 1, *falling, falling[-1] * 0.01, falling[-1] * 1e-4])
    with pytest.raises(ValueError, match="only schedule plateau_linear compounds"):
        Optimisation(epochs=2, schedule="cosine", compounding=True)


def test_decay_of_the_point_by_hand(problem, monkeypatch):
    """One step of plain gradient descent, against autograd on the loss plus half the decay times the point's square."""
    stack, objective, inputs, labels = problem
    start, end = stack.select([0]), stack.select([1])
    rate, decay, seed = 0.5, 0.3, 7
    curve = Optimisation(epochs=1, batch_size=24, learning_rate=rate, momentum=0.0, weight_decay=decay)
    seen = {}

    def keep(start, end, bend, objective, points):
        seen.update(bend)
        return [np.zeros((1, 5))] * 4

    monkeypatch.setattr("wslbench.landscape.connectivity._measure", keep)
    fit_curves(start, end, objective, curve, [seed], decay="point")

    generator = np.random.default_rng(seed)
    generator.permutation(24)
    t = torch.tensor([generator.random()], dtype=torch.float32)
    middle = {name: ((start.parameters[name] + end.parameters[name]) / 2).requires_grad_() for name in start.parameters}
    point = bezier(start.parameters, middle, end.parameters, t)
    network = start.architecture.module().train()
    outputs = torch.func.functional_call(network, {name: tensor[0] for name, tensor in point.items()}, (inputs,))
    loss = cross_entropy(outputs, labels) + decay / 2 * sum((tensor**2).sum() for tensor in point.values())
    gradients = torch.autograd.grad(loss, list(middle.values()))
    for (name, tensor), gradient in zip(middle.items(), gradients, strict=True):
        assert torch.allclose(seen[name].detach(), tensor.detach() - rate * gradient, atol=1e-5), name


def test_a_fresh_bend_is_a_network_of_its_own(problem, monkeypatch):
    """At a rate of next to nothing the bend stays where it starts: where its seed says, not half-way."""
    stack, objective, *_ = problem
    curve = Optimisation(epochs=1, batch_size=24, learning_rate=1e-12, weight_decay=0.0)
    seen = []

    def keep(start, end, bend, objective, points):
        seen.append(torch.cat([tensor.detach().flatten(1) for tensor in bend.values()], dim=1))
        return [np.zeros((2, 5))] * 4

    monkeypatch.setattr("wslbench.landscape.connectivity._measure", keep)
    start, end = stack.select([0, 0]), stack.select([1, 1])
    for seeds, where in (([7, 8], "fresh"), ([7, 9], "fresh"), ([7, 8], "middle")):
        fit_curves(start, end, objective, curve, seeds, bend_start=where)
    fresh, again, middle = seen
    assert torch.equal(fresh[0], again[0])
    assert not torch.allclose(fresh[0], fresh[1])
    assert not torch.allclose(fresh[1], again[1])
    assert torch.allclose(middle[0], middle[1])
    assert not torch.allclose(fresh, middle)


def test_power_iteration_finds_the_eigenvalue_of_largest_modulus(problem):
    stack, objective, inputs, labels = problem
    found = power_iteration(stack, objective, EVERYTHING, [0, 1, 2], iterations=2000, relative_tolerance=1e-7)
    for row in range(SIZE):
        spectrum = torch.linalg.eigvalsh(exact_hessian(stack, row, inputs, labels)).numpy()
        top = spectrum[np.abs(spectrum).argmax()]
        assert found.eigenvalue[row] == pytest.approx(top, rel=1e-3)
        assert np.abs(spectrum - found.eigenvalue[row]).min() <= found.residual[row] + 1e-4
    alone = power_iteration(stack.select([2]), objective, EVERYTHING, [2], iterations=2000, relative_tolerance=1e-7)
    assert alone.eigenvalue[0] == pytest.approx(found.eigenvalue[2], rel=1e-4)


def test_power_iteration_stops_on_a_small_change_and_flags_a_diverged_network(problem):
    stack, objective, *_ = problem
    broken = stack.select([0, 1])
    next(iter(broken.parameters.values()))[1] = torch.nan
    loose = power_iteration(broken, objective, EVERYTHING, [0, 1], relative_tolerance=1e3)
    first = power_iteration(broken, objective, EVERYTHING, [0, 1], iterations=1)
    assert loose.eigenvalue[0] == pytest.approx(first.eigenvalue[0])  # the quotient before the small change
    assert np.isnan(loose.eigenvalue[1])
    assert np.isnan(loose.residual[1])


def test_a_definitions_hessian_settings_are_followed(problem):
    """By power iteration, and by a rule that a negative running mean ends at the second probe."""
    stack, objective, *_ = problem
    definition = load_definition("yang2021")
    runs = [("cell", seed) for seed in range(SIZE)]
    columns = hessian_columns(stack, objective, definition, "zoo", runs)
    ours = definition.model_copy(
        update={"hessian": definition.hessian.model_copy(update={"eigenvalue_by": "lanczos", "stop_on": "modulus"})}
    )
    other = hessian_columns(stack, objective, ours, "zoo", runs)
    assert columns["hessian_top_eigenvalue"] == pytest.approx(other["hessian_top_eigenvalue"], rel=0.05)
    assert not np.allclose(columns["hessian_trace_se"], other["hessian_trace_se"], equal_nan=True)


def test_cka_of_softmax_and_of_a_layer_by_name(problem):
    stack, objective, *_ = problem
    first, second = np.array([0, 1]), np.array([1, 2])
    definition = load_definition("wslbench")

    def cka(**how):
        settled = definition.model_copy(update={"similarity": SimilarityDefinition(**how)})
        return cka_of_pairs(stack, objective, settled, "zoo", first, second)

    logits = torch.stack([outputs_of(stack, row, objective.test_images.clean(slice(None))) for row in range(SIZE)])
    assert cka() == pytest.approx(linear_cka(logits[first], logits[second]).numpy())
    probabilities = softmax(logits, dim=-1)
    assert cka(softmax=True) == pytest.approx(linear_cka(probabilities[first], probabilities[second]).numpy())
    last = [name for name, _ in stack.architecture.module().named_modules()][-1]
    assert cka(layer=last) == pytest.approx(cka())


def test_cka_of_batches_is_the_mean_of_their_values(problem):
    stack, objective, *_ = problem
    pair = np.array([0]), np.array([1])
    definition = load_definition("wslbench")
    how = SimilarityDefinition(side="train", batch_size=8, batches=2, pooled=False)
    drawn = drawn_samples("zoo", 24, how)
    assert len(drawn.rows) == len(set(drawn.rows.tolist())) == 16
    features = objective.representation(stack, side="train")
    parts = [features[:, torch.from_numpy(drawn.rows[some])] for some in (slice(0, 8), slice(8, 16))]
    expected = np.mean([linear_cka(part[:1], part[1:2]).item() for part in parts])
    found = cka_of_pairs(stack, objective, definition.model_copy(update={"similarity": how}), "zoo", *pair)
    assert found == pytest.approx([expected])
    pooled = how.model_copy(update={"pooled": True})
    found = cka_of_pairs(stack, objective, definition.model_copy(update={"similarity": pooled}), "zoo", *pair)
    both = torch.cat(parts, dim=1)
    assert found == pytest.approx([linear_cka(both[:1], both[1:2]).item()])


def test_mixup_mixes_within_a_batch(problem):
    stack, objective, inputs, _ = problem
    how = SimilarityDefinition(side="train", batch_size=8, batches=3, mixup=16.0)
    drawn = drawn_samples("zoo", 24, how)
    for begin in (0, 8, 16):
        some = slice(begin, begin + 8)
        assert sorted(drawn.rows[some]) == sorted(drawn.partners[some])
        assert len(set(drawn.weights[some])) == 1
    own = torch.from_numpy(drawn.weights).float()[:, None, None, None]
    mixed = own * inputs[drawn.rows] + (1 - own) * inputs[drawn.partners]
    found = objective.representation(stack, side="train", drawn=drawn)
    for row in range(SIZE):
        assert torch.allclose(found[row], outputs_of(stack, row, mixed), atol=1e-5)


def test_equations_are_not_mixed():
    points = load_dataset("convection")
    architecture = Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [4], "out_features": 1})
    stack = ModelStack.initialise(architecture, [0])
    objective = Convection(points, torch.tensor([1.0]))
    rows = np.array([3, 1])
    assert torch.equal(
        objective.representation(stack, drawn=DrawnSamples(rows)),
        objective.representation(stack)[:, torch.tensor(rows)],
    )
    with pytest.raises(LandscapeError, match="cannot be mixed"):
        objective.representation(stack, drawn=DrawnSamples(rows, rows, np.ones(2)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch_size": 8}, "give both or neither"),
        ({"mixup": 1.0}, "they need batches"),
        ({"pooled": False}, "they need batches"),
        ({"softmax": True, "layer": "conv1"}, "of the logits only"),
    ],
)
def test_what_does_not_belong_together_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        SimilarityDefinition(**fields)


@pytest.mark.parametrize("name", ["ptmz", "yang2021"])
def test_a_zoo_is_annotated_by_a_published_definition(tmp_path, name):
    """Epochs and probes are cut for the sake of time; all else is as the definition says, and the card says so."""
    built = build_zoo(tiny_recipe(unfinished_check="none"), tmp_path / "built", engine=Here()).zoo
    cell = built.cells.loc[built.cells["phase"].notna(), "cell_id"].iloc[0]
    bare = foreign_zoo(built, tmp_path / "bare", keep=lambda row: row["cell_id"] == cell and row["measured"])
    definition = load_definition(name)
    shorter = definition.model_copy(
        update={
            "hessian": definition.hessian.model_copy(update={"maximum_probes": 8, "power_iterations": 3}),
            "curve": definition.curve.model_copy(
                update={"optimisation": definition.curve.optimisation.model_copy(update={"epochs": 2})}
            ),
        }
    )
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump(shorter.model_dump(mode="json")))
    options = tmp_path / "options.yaml"
    options.write_text(yaml.safe_dump({"label_noise": 0.1, "longer_curve_pairs": 1, "cutoffs": OPTIONS["cutoffs"]}))
    zoo = annotate_zoo(bare, options_of(bare, options, definition=str(file)), Here()).zoo
    pairs, recorded = zoo.pairs, zoo.card.annotation
    assert recorded["definition"] == shorter.model_dump(mode="json")
    assert len(recorded["hessian_subset"]["train"].split(",")) == definition.hessian.subset_size
    for column in ("mode_connectivity", "linear_connectivity", "cka", "test_error_0.5"):
        assert np.isfinite(pairs[column]).all()
    assert pairs["longer_mode_connectivity"].notna().sum() == 1
    assert pairs["cka"].between(0, 1).all()
    assert np.isfinite(zoo.table["hessian_top_eigenvalue"]).all()
