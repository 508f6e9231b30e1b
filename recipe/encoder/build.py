"""Train the encoder in the box: which clades of the reference tree lie above a read.

    pip download --no-deps qiime-default-reference && tar xzf qiime-default-reference-*.tar.gz
    PYTHONPATH=. python recipe/encoder/build.py qiime-default-reference-*/*/gg_13_8_otus

It needs torch, numpy, scipy and safetensors only, and writes q2_aam/encoders/. The same machine,
threads and options give the same file. On a GPU, `--epochs 180 --batch-size 2048` takes as many
steps as the defaults, and minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import numpy as np
import torch
from draw import ORDER, USUAL, draw_reads
from judge import judge_clades
from reference import leave_out, read_reference, read_starts
from safetensors.torch import save_file
from torch import nn

from q2_aam.config.model import ModelConfig
from q2_aam.config.training import TrainingConfig
from q2_aam.data.phylogeny import choose_clades
from q2_aam.model.network import Network
from q2_aam.storage.model import CONFIG, WEIGHTS
from q2_aam.training import init
from q2_aam.training.optim import build_optimizer, learning_rate_at
from q2_aam.training.references import References, clade_losses, start_from_tree

PATHS = ("reference", "to")
BOX = Path(__file__).parents[2] / "q2_aam" / "encoders"


def read_options() -> argparse.Namespace:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("reference", type=Path, help="the folder gg_13_8_otus")
    options.add_argument("--to", type=Path, default=BOX, help="where the encoder is written")
    options.add_argument("--epochs", type=int, default=40)
    options.add_argument("--minutes", type=float, help="stop after an epoch then")
    options.add_argument("--batch-size", type=int, default=512)
    options.add_argument("--learning-rate", type=float, default=3e-3)
    options.add_argument("--dropout", type=float, default=0.0)
    options.add_argument("--hidden-size", type=int, default=128)
    options.add_argument("--asv-layers", type=int, default=2)
    options.add_argument("--branch-hidden-size", type=int, default=512)
    options.add_argument("--branches", type=int, default=4096)
    options.add_argument("--smallest", type=int, default=6, help="organisms of a clade at least")
    options.add_argument("--max-sequence-length", type=int, default=480)
    options.add_argument("--organisms", type=int, help="use only some, to try the script")
    options.add_argument("--judge-every", type=int, default=1, help="epochs")
    options.add_argument("--threads", type=int)
    return options.parse_args()


def train_epoch(
    network: Network,
    references: References,
    starts: np.ndarray,
    rows: np.ndarray,
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    epoch: int,
    autocast,
) -> float:
    """Read each organism once, and return the mean loss of a read.

    The plugin's training loop does more than this script's machine may have installed.
    """
    network.train()
    seed, longest = config.random_seed, network.config.max_sequence_length
    order = np.random.default_rng([seed, epoch, ORDER]).permutation(rows)
    batches = np.array_split(order, -(-len(order) // config.batch_size))
    total = torch.zeros((), device=references.tokens.device)
    for step, batch in enumerate(batches):
        rate = learning_rate_at(epoch * len(batches) + step, len(batches), config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        init.seed_torch(seed, init.TRAINING, epoch, step)
        reads = draw_reads(references.lengths, starts, batch, longest, seed, epoch, step)
        with autocast():
            loss = clade_losses(network, references, reads).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clipping)
        optimizer.step()
        total += loss.detach()
    network.eval()
    return float(total) / len(batches)


def write_boxed(folder: Path, network: Network) -> None:
    """Write an encoder; half precision costs a thousandth of each weight."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(network.config.to_json(), indent=1, sort_keys=True)
    (folder / CONFIG).write_text(content + "\n", encoding="utf-8")
    half = {name: one.cpu().half().contiguous() for name, one in network.state_dict().items()}
    save_file(half, str(folder / WEIGHTS))


def main() -> None:
    """Read, train, judge and write."""
    options, started = read_options(), time.perf_counter()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cuda.enable_cudnn_sdp(False)  # not deterministic, nor is the next
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.utils.deterministic.fill_uninitialized_memory = False
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    reference = read_reference(options.reference)
    learned, tips, families = leave_out(reference, 0.02, 0)
    config = ModelConfig(
        hidden_size=options.hidden_size, asv_layers=options.asv_layers, branches=options.branches,
        branch_hidden_size=options.branch_hidden_size, distance_state="trained",
        asv_tips=True, max_asvs=8192,
        max_sequence_length=options.max_sequence_length,
    )  # fmt: skip
    training = TrainingConfig(
        epochs=options.epochs, batch_size=options.batch_size, schedule="one-cycle",
        learning_rate=options.learning_rate, dropout=options.dropout,
    )  # fmt: skip
    clades = choose_clades(
        reference.phylogeny, reference.nodes, learned, config.branches, options.smallest
    )
    references = References.on_device(reference.tokens, reference.lengths, clades, device)
    starts = read_starts(reference)
    rows = np.flatnonzero(learned)[: options.organisms]
    print(
        f"{len(rows):,} organisms, {len(clades.nodes):,} clades, {families.sum():,} organisms of "
        f"left-out families, {tips.sum():,} others left out; {time.perf_counter() - started:.0f} s",
        flush=True,
    )
    init.seed_torch(training.random_seed, init.WEIGHTS)
    network = Network(config).to(device)
    network.set_dropout(training.dropout)
    first = draw_reads(references.lengths, starts, rows[:2048], USUAL, 0, 0, 0)
    start_from_tree(network, references, clades, first)
    optimizer = build_optimizer(network, training)

    def autocast():
        return torch.autocast(device.type, torch.bfloat16, enabled=cuda)

    left_out = {"tips": np.flatnonzero(tips), "families": np.flatnonzero(families)}
    began, history = time.perf_counter(), []
    for epoch in range(training.epochs):
        loss = train_epoch(network, references, starts, rows, optimizer, training, epoch, autocast)
        seconds = time.perf_counter() - began
        print(f"epoch {epoch + 1}: loss {loss:.2f}, {seconds:.0f} s", flush=True)
        history.append({"epoch": epoch + 1, "loss": round(loss, 4), "seconds": round(seconds)})
        last = epoch + 1 == training.epochs or (options.minutes and seconds > 60 * options.minutes)
        if last or (epoch + 1) % options.judge_every == 0:
            history[-1] |= judge_clades(network, references, reference, left_out)
            write_boxed(options.to, network)
        if last:
            break
    chosen = {name: value for name, value in vars(options).items() if name not in PATHS}
    machine = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    made = {"options": chosen, "machine": machine, "torch": torch.__version__}
    (options.to / "made.json").write_text(json.dumps(made | {"history": history}, indent=1) + "\n")


if __name__ == "__main__":
    main()
