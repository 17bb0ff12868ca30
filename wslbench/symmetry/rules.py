"""Rules: what each operation of a traced network does to units and to scales."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from wslbench.errors import ArchitectureError
from wslbench.symmetry.flow import (
    BatchNorm,
    Connection,
    Flow,
    Layer,
    Value,
    along_axis,
    fixed,
    repeated,
    shape_of,
    stored_once,
)
from wslbench.symmetry.ties import MAGNITUDE, SIGN, Ids

Rule = Callable[[Flow, Node], Any]


def follow(flow: Flow, graph: torch.fx.Graph) -> None:
    """Follow every step of a graph; inputs and outputs stay where they are.

    Raises
    ------
    ArchitectureError
        If a step is of a kind that has no rule.
    """
    flow.live = _live(graph)
    for node in graph.nodes:
        if node.op == "placeholder":
            if flow.stored(node) is None:
                flow.values[node] = fixed(shape_of(node))
        elif node.op == "get_attr":
            flow.values[node] = fixed(shape_of(node))
        elif node.op == "output":
            for output in _nodes(_args(node)):
                flow.freeze(flow.value(output))
        elif node.users:
            flow.values[node] = _rule(node)(flow, node)


def _live(graph: torch.fx.Graph) -> set[Node]:
    """Steps whose numbers, not only their shape, go into the outputs."""
    live: set[Node] = set()
    for node in reversed(graph.nodes):
        if node.op == "output" or (node in live and _operation(node) not in _SHAPE_ONLY):
            live.update(node.all_input_nodes)
    return live


def _operation(node: Node) -> str:
    if node.target is operator.getitem:
        return "getitem"
    return str(getattr(node.target, "overloadpacket", node.target)).removeprefix("aten.").removesuffix("_")


def _rule(node: Node) -> Rule:
    name = _operation(node)
    if name not in RULES:
        where = next(reversed(node.meta.get("nn_module_stack", {}).values()), ("", ""))[0] or "the network itself"
        raise ArchitectureError(
            f"no rule for the operation {name!r} (step {node.name!r}, in {where}): the symmetries of this network are "
            f"not known. Operations with a rule: {', '.join(sorted(RULES))}"
        )
    return RULES[name]


def _args(node: Node) -> Any:
    """What a step is given; what that is, its rule knows."""
    return node.args


def _nodes(args: Any) -> list[Node]:
    if isinstance(args, Node):
        return [args]
    return [node for arg in args for node in _nodes(arg)] if isinstance(args, (list, tuple)) else []


def _argument(node: Node, position: int, name: str, default: Any = None) -> Any:
    return _args(node)[position] if len(_args(node)) > position else node.kwargs.get(name, default)


# ---- layers with weights ----


def _layer(
    flow: Flow, node: Node, weight: str, bias: Node | None, *, entry: Value, in_axis: int, out_axis: int
) -> Value:
    """A weight with units on two axes: what comes in is tied to one, what goes out is new on the other."""
    outputs = node.meta["val"].shape[1 if "conv" in str(node.target) else -1]
    taken = flow.along(weight, in_axis, entry.units.numpy(), entry.scales.numpy(), -1)
    fresh = flow.fresh(outputs)
    given = flow.along(weight, out_axis, fresh, fresh)
    flow.layers.append(
        Layer(weight, in_axis, out_axis, taken.units if taken.exponent < 0 else entry.units.numpy(), fresh)
    )
    if given.units is not fresh:  # a weight that is used twice, such as a read-out that is the embedding
        flow.units.join(given.units, fresh)
    if bias is not None:
        flow.along(flow.part(_stored(flow, bias, node), "bias"), 0, fresh, fresh)
    return Value(torch.from_numpy(fresh), torch.from_numpy(fresh))


def _stored(flow: Flow, operand: Any, node: Node) -> str:
    name = flow.stored(operand)
    if name is None:
        raise ArchitectureError(f"step {node.name!r}: a weight that is computed from others has no known symmetries")
    return name


def _linear(flow: Flow, node: Node) -> Value:
    inputs, weight = _args(node)[0], _args(node)[1]
    entry = flow.level(flow.value(inputs), -1)
    name = _stored(flow, weight, node)
    units, scales = _layer(flow, node, name, _argument(node, 2, "bias"), entry=entry, in_axis=1, out_axis=0)
    return along_axis(units.numpy(), scales.numpy(), shape_of(node), -1)


def _convolution(flow: Flow, node: Node) -> Value:
    inputs, weight = _args(node)[0], _args(node)[1]
    entry = flow.level(flow.value(inputs), 1)
    name = _stored(flow, weight, node)
    groups = _argument(node, 6, "groups", 1)
    bias = _argument(node, 2, "bias")
    if groups == 1:
        units, scales = _layer(flow, node, name, bias, entry=entry, in_axis=1, out_axis=0)
        return along_axis(units.numpy(), scales.numpy(), shape_of(node), 1)
    if not groups == shape_of(node)[1] == len(entry.units):
        raise ArchitectureError(f"step {node.name!r}: of grouped convolutions, only depthwise ones have a rule")
    # Depthwise: a channel stays itself, but may leave with another scale. One axis cannot carry both scales.
    flow.scales.freeze(entry.scales.numpy())
    fresh = flow.fresh(groups)
    flow.along(name, 0, entry.units.numpy(), fresh)
    if bias is not None:
        flow.along(_stored(flow, bias, node), 0, entry.units.numpy(), fresh)
    return along_axis(entry.units.numpy(), fresh, shape_of(node), 1)


def _embedding(flow: Flow, node: Node) -> Value:
    weight, indices = _args(node)[0], _args(node)[1]
    flow.freeze(flow.value(indices))
    name = _stored(flow, weight, node)
    rows = int(weight.meta["val"].shape[0])
    nothing = torch.zeros(rows, dtype=torch.int64)
    units, scales = _layer(flow, node, name, None, entry=Value(nothing, nothing), in_axis=0, out_axis=1)
    return along_axis(units.numpy(), scales.numpy(), shape_of(node), -1)


def _batch_norm(flow: Flow, node: Node) -> Value:
    inputs, gain, bias, mean, variance = _args(node)[:5]
    if bool(_args(node)[5]) or mean is None or variance is None:
        raise ArchitectureError(
            f"step {node.name!r}: a batch norm that normalises by the batch it sees makes a prediction depend on other "
            "inputs; keep running statistics and evaluate in eval mode"
        )
    entry = flow.level(flow.value(inputs), 1)
    units, scales = entry.units.numpy(), entry.scales.numpy()
    flow.along(flow.part(_stored(flow, mean, node), "mean"), 0, units, scales)
    flow.along(flow.part(_stored(flow, variance, node), "variance"), 0, units, scales, 2)
    if gain is None:
        flow.scales.freeze(scales)
        return along_axis(units, np.zeros_like(scales), shape_of(node), 1)
    fresh = flow.fresh(len(units))
    name = flow.part(_stored(flow, gain, node), "gain")
    flow.along(name, 0, units, fresh)
    flow.along(flow.part(_stored(flow, bias, node), "shift"), 0, units, fresh)
    norm = BatchNorm(name, _stored(flow, variance, node), scales, float(_args(node)[7]))
    flow.scales.join(flow.norms.setdefault(name, norm).scales, scales)
    return along_axis(units, fresh, shape_of(node), 1)


def _layer_norm(flow: Flow, node: Node) -> Value:
    inputs, normalised = _args(node)[0], _args(node)[1]
    if len(normalised) != 1:
        raise ArchitectureError(f"step {node.name!r}: a layer norm over more than one axis has no rule")
    entry = flow.level(flow.value(inputs), -1)
    units = entry.units.numpy()
    flow.scales.freeze(entry.scales.numpy())
    gain, bias = _argument(node, 2, "weight"), _argument(node, 3, "bias")
    if gain is None:
        return along_axis(units, np.zeros_like(units), shape_of(node), -1)
    fresh = flow.fresh(len(units))
    flow.along(flow.part(_stored(flow, gain, node), "gain"), 0, units, fresh)
    if bias is not None:
        flow.along(flow.part(_stored(flow, bias, node), "shift"), 0, units, fresh)
    return along_axis(units, fresh, shape_of(node), -1)


# ---- what happens to each number by itself ----


def _unary(freedom: int) -> Rule:
    """An activation function that commutes with scales of this freedom."""

    def rule(flow: Flow, node: Node) -> Value:
        value = flow.value(_args(node)[0])
        flow.scales.limit(stored_once(value.scales), freedom)
        return value

    return rule


def _pool(freedom: int) -> Rule:
    """Pools pixels of one channel."""

    def rule(flow: Flow, node: Node) -> Value:
        value = flow.value(_args(node)[0])
        channel = len(shape_of(node)) - 3 if "2d" in str(node.target) else len(shape_of(node)) - 2
        axes = tuple(range(channel + 1))
        flow.scales.limit(stored_once(value.scales), freedom)
        return _without(flow, value, axes, shape_of(node))

    return rule


def _without(flow: Flow, value: Value, axes: tuple[int, ...], shape: tuple[int, ...]) -> Value:
    """Units after all axes but these were reduced."""
    kept = flow.level(value, *axes)
    extra = (1,) * (len(shape) - len(axes))
    return Value(*(ids.reshape(*ids.shape, *extra).expand(shape) for ids in kept))


def _mean(flow: Flow, node: Node) -> Value:
    value = flow.value(_args(node)[0])
    dims = _argument(node, 1, "dim")
    reduced = {axis % value.units.ndim for axis in (dims if dims else range(value.units.ndim))}
    axes = tuple(axis for axis in range(value.units.ndim) if axis not in reduced)
    if not axes:
        flow.freeze(value)
        return fixed(shape_of(node))
    kept = flow.level(value, *axes)
    if _argument(node, 2, "keepdim", False):
        for axis in sorted(reduced):
            kept = Value(*(ids.unsqueeze(axis) for ids in kept))
    return Value(*(ids.expand(shape_of(node)) for ids in kept))


def _softmax(flow: Flow, node: Node) -> Value:
    value = flow.value(_args(node)[0])
    dim = _args(node)[1] % value.units.ndim
    flow.scales.freeze(stored_once(value.scales))
    flow.units.join(stored_once(value.units.narrow(dim, 0, 1)), stored_once(value.units))
    return value


def _multiply(flow: Flow, node: Node) -> Value:
    first, second = _args(node)
    if not isinstance(second, Node):
        return flow.value(first)
    if not isinstance(first, Node):
        return flow.value(second)
    for operand in (first, second):
        flow.scales.freeze(stored_once(flow.value(operand).scales))
    return _together(flow, node, first, second)


def _add(flow: Flow, node: Node) -> Value:
    first, second = _args(node)[:2]
    if isinstance(first, Node) and isinstance(second, Node):
        return _together(flow, node, first, second)
    value = flow.value(first if isinstance(first, Node) else second)
    flow.scales.freeze(stored_once(value.scales))  # a constant does not grow with its summand
    return value


def _together(flow: Flow, node: Node, first: Node, second: Node) -> Value:
    """Numbers that meet one by one belong to one unit; what is broadcast over units is itself no unit."""
    shape = shape_of(node)
    values = [flow.value(operand) for operand in (first, second)]
    wide = [Value(*(ids.expand(shape) for ids in value)) for value in values]
    flow.scales.join(*_shared(wide[0].scales, wide[1].scales))
    apart = False
    for value, other in (values, values[::-1]):
        if any(_varies(other.units, axis) for axis in _missing(value.units.shape, other.units.shape)):
            flow.units.freeze(stored_once(value.units))
            apart = True
    multiplied = _operation(node) in ("mul", "div")
    plain = [_is_stored_or_fixed(flow, operand, value) for operand, value in zip((first, second), values, strict=True)]
    if not apart:
        flow.units.join(*_shared(wide[0].units, wide[1].units))
    if any(plain):
        kept = wide[0] if plain[1] else wide[1]
        for operand, value in zip((first, second), wide, strict=True):
            name = flow.stored(operand)
            if name is not None and not apart:
                flow.nodes.join(*_shared(kept.units, value.units))
                flow.part(name, "gain" if multiplied else "bias")
        return kept
    older, newer = sorted(wide, key=lambda value: int(value.units.max()))
    pairs = _distinct_pairs(*_shared(older.units, newer.units))
    flow.connections.append(Connection("gate" if multiplied else "residual", *pairs))
    return newer


def _is_stored_or_fixed(flow: Flow, node: Node, value: Value) -> bool:
    return flow.stored(node) is not None or not bool(value.units.any())


def _missing(shape: torch.Size, other: torch.Size) -> list[int]:
    """Axes of ``other``, from the back, along which ``shape`` is broadcast."""
    return [-back for back in range(1, len(other) + 1) if other[-back] > 1 and (back > len(shape) or shape[-back] == 1)]


def _varies(ids: torch.Tensor, axis: int) -> bool:
    return bool((ids != ids.narrow(axis, 0, 1)).any())


def _shared(first: torch.Tensor, second: torch.Tensor) -> tuple[Ids, Ids]:
    """Two arrays of ids without the axes along which both repeat themselves."""
    for axis in range(first.ndim):
        if first.shape[axis] > 1 and first.stride(axis) == 0 and second.stride(axis) == 0:
            first, second = first.narrow(axis, 0, 1), second.narrow(axis, 0, 1)
    return first.numpy(), second.numpy()


def _distinct_pairs(first: Ids, second: Ids) -> tuple[Ids, Ids]:
    pairs = np.unique(np.stack([first.ravel(), second.ravel()]), axis=1)
    pairs = pairs[:, (pairs != 0).all(axis=0)]
    return pairs[0], pairs[1]


# ---- products of activations: attention ----


def _matmul(flow: Flow, node: Node) -> Value:
    left, right = _args(node)[:2]
    name = flow.stored(right)
    if name is not None and right.meta["val"].ndim == 2:
        entry = flow.level(flow.value(left), -1)
        units, scales = _layer(flow, node, name, None, entry=entry, in_axis=0, out_axis=1)
        return along_axis(units.numpy(), scales.numpy(), shape_of(node), -1)
    return _product(flow, flow.value(left), flow.value(right), shape_of(node), node)


def _product(flow: Flow, left: Value, right: Value, shape: tuple[int, ...], node: Node) -> Value:
    """A batch of matrix products, ``[..., m, k] @ [..., k, n]``."""
    if left.units.ndim != right.units.ndim or left.units.ndim < 3 or left.units.shape[:-2] != right.units.shape[:-2]:
        raise ArchitectureError(f"step {node.name!r}: a product of activations needs equal batch axes to have a rule")
    heads = np.concatenate([np.zeros(0, np.int64), *(head.ravel() for _, head in flow.contained)])
    if not np.isin(stored_once(left.units), np.append(heads, 0)).all():
        return _contracted(flow, left, right, shape)
    return _mixed(flow, left, right, shape, node)


def _contracted(flow: Flow, left: Value, right: Value, shape: tuple[int, ...]) -> Value:
    """Units meet and are summed over (queries and keys): each batch index is a head that holds its units."""
    batch = tuple(range(1, len(shape) - 2))
    queries = flow.level(left, *batch, -1)
    keys = flow.level(right, *batch, -2)
    flow.units.join(queries.units.numpy(), keys.units.numpy())
    flow.scales.join(queries.scales.numpy(), keys.scales.numpy(), inverse=True)
    sizes = queries.units.shape[:-1]
    heads = torch.from_numpy(flow.fresh(int(np.prod(sizes, dtype=np.int64)))).reshape(sizes)
    for units in (queries.units, keys.units):
        held = heads.unsqueeze(-1).expand(units.shape)
        flow.contained.append((units.numpy(), held.numpy()))
        flow.connections.append(Connection("attention", units.numpy().ravel(), held.numpy().ravel()))
    spread = heads.reshape(1, *sizes, 1, 1).expand(shape)
    return Value(spread, torch.zeros((), dtype=torch.int64).expand(shape))


def _mixed(flow: Flow, left: Value, right: Value, shape: tuple[int, ...], node: Node) -> Value:
    """Positions are mixed by a head's pattern (attention and values): the values stand in that head."""
    batch = tuple(range(1, len(shape) - 2))
    pattern = flow.level(left, *batch)
    flow.scales.freeze(pattern.scales.numpy())
    values = flow.level(right, *batch, -1)
    held = pattern.units.unsqueeze(-1).expand(values.units.shape)
    flow.contained.append((values.units.numpy(), held.numpy()))
    flow.connections.append(Connection("attention", held.numpy().ravel(), values.units.numpy().ravel()))
    wide = [ids.unsqueeze(0).unsqueeze(-2).expand(shape) for ids in values]
    return Value(*wide)


def _attention(flow: Flow, node: Node) -> Value:
    queries, keys, values = (flow.value(operand) for operand in _args(node)[:3])
    if _argument(node, 3, "attn_mask") is not None:
        flow.freeze(flow.value(_argument(node, 3, "attn_mask")))
    square = (*queries.units.shape[:-1], keys.units.shape[-2])
    pattern = _contracted(flow, queries, Value(*(ids.transpose(-2, -1) for ids in keys)), square)
    return _mixed(flow, pattern, values, shape_of(node), node)


# ---- what only moves numbers ----


def _moved(flow: Flow, node: Node) -> Any:
    """Carry the step out on the ids themselves."""
    kinds = [_carried(flow, node, kind) for kind in (0, 1)]
    if isinstance(kinds[0], torch.Tensor):
        return Value(repeated(kinds[0]), repeated(kinds[1]))
    return [Value(repeated(units), repeated(scales)) for units, scales in zip(*kinds, strict=True)]


def _carried(flow: Flow, node: Node, kind: int) -> Any:
    def ids(argument: Any) -> Any:
        if isinstance(argument, Node):
            return flow.value(argument)[kind]
        if isinstance(argument, (list, tuple)):
            return [ids(each) for each in argument]
        return argument

    # Ids are expanded where the network's numbers are not, so that a view of them may need a copy.
    target: Any = torch.reshape if _operation(node) == "view" else node.target
    return target(*(ids(argument) for argument in _args(node)), **{key: ids(each) for key, each in node.kwargs.items()})


def _picked(flow: Flow, node: Node) -> Any:
    return flow.values[_args(node)[0]][_args(node)[1]]


def _constant(flow: Flow, node: Node) -> Value:
    """What is made from an activation's shape, or from other constants."""
    for operand in _nodes(_args(node)):
        if _operation(node) not in _SHAPE_ONLY:
            flow.freeze(flow.value(operand))
    return fixed(shape_of(node))


def _masked(flow: Flow, node: Node) -> Value:
    value = flow.value(_args(node)[0])
    flow.scales.freeze(stored_once(value.scales))
    return _together(flow, node, *_args(node)[:2])


_SHAPE_ONLY = {"ones_like", "zeros_like", "full_like", "empty_like", "new_ones", "new_zeros"}
_MOVES = """
    alias cat chunk clone contiguous detach expand expand_as flatten movedim permute repeat_interleave reshape select
    slice split split_with_sizes squeeze stack t transpose unbind unflatten unsqueeze view
"""
_CONSTANTS = "arange eq full ge gt le logical_not lt ne ones scalar_tensor tril triu zeros"
_POSITIVE = "leaky_relu relu"
_ODD = "asinh atan erf hardtanh sin tanh"
_PLAIN = "celu elu exp gelu hardswish log_sigmoid mish relu6 selu sigmoid silu softplus"

RULES: dict[str, Rule] = {
    "add": _add,
    "sub": _add,
    "mul": _multiply,
    "div": _multiply,
    "linear": _linear,
    "conv1d": _convolution,
    "conv2d": _convolution,
    "embedding": _embedding,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "max_pool1d": _pool(MAGNITUDE),
    "max_pool2d": _pool(MAGNITUDE),
    "avg_pool1d": _pool(MAGNITUDE | SIGN),
    "avg_pool2d": _pool(MAGNITUDE | SIGN),
    "adaptive_avg_pool1d": _pool(MAGNITUDE | SIGN),
    "adaptive_avg_pool2d": _pool(MAGNITUDE | SIGN),
    "adaptive_max_pool2d": _pool(MAGNITUDE),
    "mean": _mean,
    "sum": _mean,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "matmul": _matmul,
    "bmm": _matmul,
    "mm": _matmul,
    "scaled_dot_product_attention": _attention,
    "masked_fill": _masked,
    "getitem": _picked,
    "dropout": _unary(MAGNITUDE | SIGN),
    "feature_dropout": _unary(MAGNITUDE | SIGN),
    "neg": _unary(MAGNITUDE | SIGN),
    **dict.fromkeys(_POSITIVE.split(), _unary(MAGNITUDE)),
    **dict.fromkeys(_ODD.split(), _unary(SIGN)),
    **dict.fromkeys(_PLAIN.split(), _unary(0)),
    **dict.fromkeys(_MOVES.split(), _moved),
    **dict.fromkeys(_CONSTANTS.split(), _constant),
    **dict.fromkeys(_SHAPE_ONLY, _constant),
}
