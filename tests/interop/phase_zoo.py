"""A tree as the phase-transition zoos' trainer leaves it, with everything that is odd about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wslbench.architectures import Architecture

PLANNED = 6
LANDSCAPE_EPOCH = 4
METRICS = {
    "log_hessian_trace_train": 3.25,
    "log_hessian_trace": 3.5,
    "log_hessian_top_ev": 1.25,
    "log_hessian_top_ev_val": 1.5,
    "curve_mc_train_error": -2.5,
    "representation_similarity": 0.75,
}


def network(width: int) -> nn.Module:
    """The network of one width."""
    return Architecture(builder="resnet18", arguments={"width": width}).module()


def write_run(
    tree: Path,
    width: int,
    batch_size: int,
    seed: int,
    *,
    epochs: Sequence[int] = (0, LANDSCAPE_EPOCH, PLANNED),
    planned: int = PLANNED,
    last: int | None = None,
    accumulated: int = 1,
    restarted_at: int | None = None,
    prefix: str = "",
    model_type: str = "Resnet18_width",
    landscape_epoch: int | None = LANDSCAPE_EPOCH,
    learning_rate: float = 0.1,
    template: nn.Module | None = None,
) -> Path:
    """One run's folder; what the metrics of the landscape are depends on the cell alone."""
    varied = f"width={width},lr={learning_rate},seed={seed},batchsize={batch_size}"
    folder = tree / f"NN_tune_trainable_{width:03d}{batch_size:05d}_{seed:05d}_{varied}"
    folder.mkdir(parents=True)
    config: dict[str, Any] = {
        "model::type": model_type,
        "model::channels_in": 3,
        "model::o_dim": 10,
        "model::nlin": "relu",
        "model::dropout": 0.0,
        "model::init_type": "kaiming_uniform",
        "model::use_bias": False,
        "model::width": width,
        "optim::optimizer": "sgd",
        "optim::lr": learning_rate,
        "optim::wd": 0.0005,
        "optim::momentum": 0.9,
        "optim::scheduler": "OneCycleLR",
        "training::loss": "crossentropy",
        "training::dataloader": "normal",
        "trainloader::workers": 6,
        "testloader::workers": 4,
        "seed": seed,
        "training::batchsize": batch_size,
        "training::epochs_train": planned,
        "training::output_epoch": 1,
        "training::data_path": "/somewhere/cifar_10/",
        "cuda": True,
        "dataset::dump": "/somewhere/cifar_10/dataset_preprocessed.pt",
        "resources": {"cpu": 12, "gpu": 1},
    }
    (folder / "params.json").write_text(json.dumps(config))
    altered = config | {
        "training::batchsize": batch_size // accumulated,
        "training::accumulate_gradients_steps": accumulated,
        "scheduler::steps_per_epoch": 50000 // (batch_size // accumulated),
    }
    lines = []
    for epoch in range((planned if last is None else last) + 1):
        lines.append(
            {
                "train_loss": loss(epoch) / (accumulated if epoch else 1),
                "train_acc": 0.1 + 0.8 * epoch / planned,
                "test_loss": 2 * loss(epoch),
                "test_acc": 0.1 + 0.5 * epoch / planned + 0.001 * seed,
                "training_iteration": epoch,
                "iterations_since_restore": epoch + 1 if restarted_at is None else max(1, epoch + 1 - restarted_at),
                "time_total_s": 12.5 * epoch,
                "hostname": "node",
                "trial_id": f"{width}{batch_size}{seed}",
                "config": altered,
                **{name: float("nan") for name in METRICS},
            }
        )
        if epoch == landscape_epoch:
            lines[-1] |= {name: value + width + batch_size / 1000 for name, value in METRICS.items()}
    (folder / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    module = network(width) if template is None else template
    for epoch in epochs:
        place = folder / f"checkpoint_{epoch:06d}"
        place.mkdir()
        generator = torch.Generator().manual_seed(hash((width, batch_size, seed, epoch)) % 2**31)
        state = {
            prefix + name: torch.randn(tensor.shape, generator=generator) if tensor.is_floating_point() else tensor + 7
            for name, tensor in module.state_dict().items()
        }
        torch.save(state, place / "checkpoints")
        torch.save({"state": {}, "param_groups": []}, place / "optimizer")
    return folder


def loss(epoch: int) -> float:
    """The train loss that an epoch had, before the trainer divided it."""
    return 2.0 / (1 + epoch)
