"""The README of a zoo's repository on the hub, made from its card."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from wslbench.hub.address import HubAddress

if TYPE_CHECKING:
    from wslbench.zoo import Zoo

PICTURE = "phase-diagram.png"

# The hub's own names of licences, as far as zoos have had them; any other is named in words beside "other".
_LICENCES = ("mit", "apache-2.0", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc0-1.0", "unknown")
_SIZES = (("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6))


def dataset_card(zoo: Zoo, address: HubAddress, has_picture: bool) -> str:
    """The text of the card: what the hub reads (YAML), then what people read (Markdown)."""
    return f"---\n{_front_matter(zoo)}---\n\n{_body(zoo, address, has_picture)}"


def _front_matter(zoo: Zoo) -> str:
    licence = zoo.card.licence.strip()
    known = licence.lower() in _LICENCES
    count = len(zoo.table)
    fields: dict[str, object] = {
        "pretty_name": zoo.name,
        "license": licence.lower() if known else "other",
        **({} if known else {"license_name": re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-") or "other"}),
        "tags": ["weight-space-learning", "model-zoo", "loss-landscape", "wslbench"],
        "size_categories": [next((name for name, below in _SIZES if count < below), "n>1M")],
        # What the hub's viewer shows.
        "configs": [{"config_name": "models", "data_files": "models.parquet"}],
    }
    return str(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True))


def _body(zoo: Zoo, address: HubAddress, has_picture: bool) -> str:
    card, table = zoo.card, zoo.table
    shards = zoo.manifest.weights.shards.values()
    rows = [
        ("networks", ", ".join(f"{name} (`{net.builder}`)" for name, net in card.architectures.items())),
        ("trained on", f"{card.data_set.name} ({card.modality}), {card.data_set.sizes}"),
        ("load", f"{card.load.label} (`{card.load.column}`): {_listed(card.load.values)}"),
        ("temperature", f"{card.temperature.label} (`{card.temperature.column}`): {_listed(card.temperature.values)}"),
        ("runs", f"{table['run_id'].nunique():,} in {table['cell_id'].nunique():,} cells"),
        ("checkpoints", f"{len(table):,}, order parameters at epoch {card.measured_epoch}"),
        ("weights", f"{sum(shard.bytes for shard in shards) / 1e6:,.1f} MB in {len(shards)} shards"),
        ("splits", ", ".join(zoo.protocols) or "none"),
        ("licence", card.licence),
        ("version", f"{card.content_version}, annotations {card.annotation_version}"),
    ]
    lines = [
        f"# {zoo.name}",
        _escaped(card.description),
        "A population of trained networks with metadata, for weight space learning, in the zoo format of wslbench.",
        "| | |\n|---|---|\n" + "\n".join(f"| {name} | {_cell(value)} |" for name, value in rows),
    ]
    if has_picture:
        axes = f"{_escaped(card.load.label)} and {_escaped(card.temperature.label)}"
        lines.append(f"![Phase diagram over {axes}]({PICTURE})")
    if card.phase_rule is not None:
        rule = str(card.phase_rule.get("text", "see zoo.yaml"))
        lines.append(f"Phases were told apart by this rule: {_escaped(rule)}")
    lines += [
        "## Use",
        f'```python\nimport wslbench\n\nzoo = wslbench.load_zoo("hf://{address.repository}")\nzoo.table\n'
        "zoo.models()[0].module()\n```",
        "Shards are fetched when they are asked for, and checked against the hashes in `manifest.json`. Results name "
        "the commit that they are of; pin it by `@COMMIT`.",
        "## Cite",
        "```\n" + card.citation.replace("```", "'''").strip() + "\n```",
    ]
    return "\n\n".join(lines) + "\n"


def _listed(values: list[int | float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _escaped(text: str) -> str:
    """Text that means itself in Markdown: no markup, no links, no HTML."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")
