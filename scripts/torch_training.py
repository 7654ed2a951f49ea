"""Training loop of `train_on_gpu`: batches are augmented on the device, and teachers score the same crops as the student.

"Patient and consistent" distillation after Beyer et al. 2022 (arXiv 2106.05237), mixup after Zhang et al. 2018
(arXiv 1710.09412).
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.multiprocessing as processes
import torch.nn.functional as functional
from torch import Tensor, nn
from torch_augment import Augmentation
from torch_networks import HEADS, Network

EMOTION_HEADS = ("fer2013", "ferplus")

_WARM_UP = 0.02
"""Fraction of a training in which the learning rate warms up."""

_BATCH = 512
"""Batch size for inference."""

Columns = dict[str, slice]


def head_columns() -> Columns:
    """Columns of each output in the concatenated logits."""
    columns, start = {}, 0
    for name, count in HEADS.items():
        columns[name] = slice(start, start + count)
        start += count
    return columns


COLUMNS = head_columns()


@dataclass(frozen=True)
class Faces:
    """Faces on the training device.

    Attributes:
        images: uint8 (n, 1, 48, 48).
        targets: float32 (n, 17), target distribution of each output; zeros if unknown.
    """

    images: Tensor
    targets: Tensor

    def to(self, device: str) -> Faces:
        """Move the faces to a device."""
        return Faces(self.images.to(device), self.targets.to(device))

    def backgrounds(self) -> Tensor:
        """The pictures without a face, as networks take them."""
        return as_input(self.images[self.targets[:, COLUMNS["face"].start] > 0.5])


def mixed(faces: Faces, answers: Tensor, share: float) -> Faces:
    """Mix a share of answers, float32 (n, 17), into each known emotion target."""
    targets = faces.targets.clone()
    for name in EMOTION_HEADS:
        columns = COLUMNS[name]
        known = targets[:, columns].sum(dim=1, keepdim=True)
        targets[:, columns] = torch.lerp(targets[:, columns], answers[:, columns] * known, share)
    return Faces(faces.images, targets)


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training.

    Attributes:
        epochs: number of epochs.
        minutes: time limit, or None; the schedule follows whichever of the two is further.
        rate: maximum learning rate.
        decay: weight decay, in the gradient.
        batch: batch size.
        hold: fraction of the training after which the learning rate falls from its maximum to 0, along a cosine.
        mixup: fraction of the faces that are mixed with another one.
        smoothing: label smoothing of folder labels.
        teaching: weight of the teachers' scores in a target.
        averaging: decay per step of the exponential moving average of the weights.
        validate_every: epochs between validations.
    """

    epochs: int
    rate: float
    decay: float
    batch: int
    minutes: float | None = None
    hold: float = 0.0
    mixup: float = 0.5
    smoothing: float = 0.1
    teaching: float = 0.5
    averaging: float = 0.999
    validate_every: int = 1

    def rate_at(self, progress: float) -> float:
        """Learning rate at this fraction of the training, 0 to 1."""
        if progress < _WARM_UP:
            return self.rate * max(0.05, progress / _WARM_UP)
        if progress <= self.hold:
            return self.rate
        return self.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - self.hold) / (1 - self.hold))))


@dataclass(frozen=True)
class Validation:
    """The validation split."""

    faces: Faces

    def figures(self, network: Network) -> dict[str, float]:
        """Accuracy of each output over the faces with a single true label, and further metrics of fer2013."""
        logits = answers(network, self.faces.images)
        result = {}
        for name, columns in COLUMNS.items():
            target = self.faces.targets[:, columns]
            decided = target.max(dim=1).values > 0.5
            truth = target.argmax(dim=1)[decided]
            right = (logits[:, columns].argmax(dim=1)[decided] == truth).float()
            result[f"val_{name}"] = round(float(right.mean()), 4)
            if name == "fer2013":
                recalls = [right[truth == label].mean() for label in truth.unique()]
                result["val_balanced"] = round(float(torch.stack(recalls).mean()), 4)
                loss = functional.cross_entropy(logits[:, columns][decided], truth)
                result["val_loss"] = round(float(loss), 4)
        return result


def answers(network: Network, images: Tensor) -> Tensor:
    """Logits for uint8 (n, 1, 48, 48) faces, float32 (n, 17)."""
    training = network.training
    network.eval()
    with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16):
        logits = torch.cat([network(as_input(images[i : i + _BATCH])) for i in range(0, len(images), _BATCH)])
    network.train(training)
    return logits.float()


def as_input(images: Tensor) -> Tensor:
    """Convert uint8 faces to the input of networks: float32 in 0..1."""
    return (images.float() / 255).contiguous(memory_format=torch.channels_last)


def teacher_scores(teacher: Network, images: Tensor) -> Tensor:
    """Scores of a teacher for float32 (n, 1, 48, 48) crops: mean probabilities of a crop and its mirror image.

    Returns:
        float32 (n, 17), zeros for the face output.
    """
    result = torch.zeros((len(images), sum(HEADS.values())), device=images.device)
    views = torch.cat([images, images.flip(3)]).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16):
        logits = teacher(views).float()
    for name in EMOTION_HEADS:
        plain, mirrored = functional.softmax(logits[:, COLUMNS[name]], dim=1).chunk(2)
        result[:, COLUMNS[name]] = (plain + mirrored) / 2
    return result


def fit_face_output(network: Network, faces: Faces, *, passes: int = 3, decay: float = 1e-5) -> None:
    """Fit the layer that tells faces once more, on crops that are changed but not mixed.

    Mixed crops are part face and part not, which makes the layer unsure: after a training with mixup it refused 58% of 122 false
    faces at a threshold where it had refused 91%.

    Args:
        network: its layer `face` gets new weights; the rest stays.
        faces: what it learns from.
        passes: how often each face is changed and looked at.
        decay: weight decay of the layer, on features of unit variance.
    """
    columns = COLUMNS["face"]
    layer = network.heads["face"]
    augmentation = Augmentation()
    backgrounds = faces.backgrounds()
    network.eval()
    seen: list[Tensor] = []
    truth: list[Tensor] = []
    with torch.no_grad(), torch.autocast(faces.images.device.type, torch.bfloat16):
        for _ in range(passes):
            for chosen in torch.randperm(len(faces.images), device=faces.images.device).split(_BATCH):
                images = augmentation.apply(as_input(faces.images[chosen]), backgrounds)
                seen.append(network.features(images.contiguous(memory_format=torch.channels_last)).float())
                truth.append(faces.targets[chosen][:, columns])
    features, targets = torch.cat(seen), torch.cat(truth)
    scale = features.std(dim=0) + 1e-6
    fitted = nn.Linear(features.shape[1], columns.stop - columns.start).to(features.device)
    nn.init.zeros_(fitted.weight)
    nn.init.zeros_(fitted.bias)
    optimizer = torch.optim.LBFGS(fitted.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(fitted(features / scale), targets) + decay * fitted.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        layer.weight.copy_(fitted.weight / scale)
        layer.bias.copy_(fitted.bias)


class Trainer:
    """Trains one network, with an atomically replaced checkpoint for resuming.

    Args:
        name: name of the network in the log and of its files.
        network: network to train.
        training: training split.
        validation: validation split, on which the best epoch is chosen.
        recipe: hyperparameters.
        folder: receives ``<name>.checkpoint.pt`` and a part of ``log.json``.
        teachers: teachers, of which one is used per step; may be empty.
        seed: random seed; the randomness of an epoch depends only on the seed and the number of previous steps.
        workers: number of processes that train the same weights in shared memory without synchronization (Recht et al. 2011,
            arXiv 1106.5730). On CPUs, one thread in each is faster than several threads in one process: the convolutions'
            threads spin, and beside other programs a step took ten times as long with two threads as with one.
    """

    def __init__(
        self,
        name: str,
        network: Network,
        training: Faces,
        validation: Faces,
        recipe: Recipe,
        folder: Path,
        *,
        teachers: Sequence[Network] = (),
        augmentation: Augmentation | None = None,
        seed: int = 0,
        workers: int = 1,
    ) -> None:
        self.name, self.network, self.recipe, self.folder, self.seed = name, network, recipe, folder, seed
        self.best = -1.0
        self.best_state: dict[str, Tensor] = {}
        self.epoch = 0
        self.rows: list[dict[str, Any]] = []
        self._training, self._validation = training, Validation(validation)
        self._teachers = [teacher.eval() for teacher in teachers]
        self._augmentation = augmentation or Augmentation()
        self._targets = _smoothed(training.targets, recipe.smoothing)
        self._backgrounds = training.backgrounds()
        self._average = {key: value.clone() for key, value in network.state_dict().items()}
        self._optimizer = torch.optim.SGD(_groups(network, recipe.decay), lr=recipe.rate, momentum=0.9, nesterov=True)
        for parameter in network.parameters():
            self._optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        self._workers = workers
        # Steps done, seconds spent and the stop flag, shared by all workers. Two workers that add at once lose a step, which
        # does not matter.
        self._shared = torch.zeros(3, dtype=torch.float64)

    @property
    def elapsed(self) -> float:
        """Seconds spent on this training."""
        return float(self._shared[1])

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return bool(self._shared[2])

    @property
    def _steps(self) -> int:
        return int(self._shared[0])

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint."""
        return self.folder / f"{self.name}.checkpoint.pt"

    def resume(self) -> None:
        """Resume from the checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.network.load_state_dict(_full(saved["network"]))
        self._average = {key: value.to(self._device) for key, value in _full(saved["average"]).items()}
        self.best_state = {key: value.to(self._device) for key, value in _full(saved["best_state"]).items()}
        for parameter, momentum in zip(self.network.parameters(), saved["momentum"], strict=True):
            self._optimizer.state[parameter]["momentum_buffer"].copy_(momentum)
        self.epoch, self.best = saved["epoch"], saved["best"]
        self._shared[:2] = torch.tensor([saved["steps"], saved["elapsed"]])
        self.rows = json.loads(saved["rows"])

    def stop(self) -> None:
        """Let `train` save a checkpoint after the current step, and return; for signal handlers."""
        self._shared[2] = 1

    def train(
        self, *, steps: int | None = None, log: Callable[[str], None] = print, improved: Callable[[], None] = lambda: None
    ) -> None:
        """Train to the end of the recipe.

        Args:
            steps: steps per epoch, to test the script; None for all.
            log: called with one line per validation.
            improved: called when the averaged weights are better than before.
        """
        per_epoch = steps or max(1, len(self._training.images) // self.recipe.batch)
        helpers = self._start_helpers(per_epoch)
        started = time.perf_counter() - self.elapsed
        while self._progress(per_epoch) < 1:
            epoch_started = time.perf_counter()
            loss = self._epoch(per_epoch, started)
            self._shared[1] = time.perf_counter() - started
            if self.stopped:
                break
            self.epoch += 1
            row: dict[str, Any] = {"epoch": self.epoch, "loss": round(loss, 4), "rate": round(self._rate(per_epoch), 5)}
            best = self.best
            if self.epoch % self.recipe.validate_every == 0 or self._progress(per_epoch) >= 1:
                row |= self._validate()
            row["seconds"] = round(time.perf_counter() - epoch_started, 1)
            self.rows.append(row)
            if "val_fer2013" in row:
                if self.best > best:
                    improved()
                self._save()
                figures = "  ".join(f"{key} {value}" for key, value in row.items() if key != "epoch")
                log(f"{self.name} epoch {self.epoch}/{self.recipe.epochs}  {figures}")
        stopped = self.stopped
        self.stop()
        for helper in helpers:
            helper.join()
        self._shared[2] = stopped
        if stopped:
            self._save()  # a resumed training starts the epoch again, in another order

    def best_network(self, network: Network) -> Network:
        """Load the best averaged weights on validation into another network of the same architecture."""
        network.load_state_dict(self.best_state or self._average)
        return network.eval()

    def _progress(self, per_epoch: int) -> float:
        done = self._steps / (per_epoch * self.recipe.epochs)
        return done if self.recipe.minutes is None else max(done, self.elapsed / (60 * self.recipe.minutes))

    def _rate(self, per_epoch: int) -> float:
        return self.recipe.rate_at(self._progress(per_epoch))

    def _start_helpers(self, per_epoch: int) -> list[processes.Process]:
        """Start all workers except this process."""
        if self._workers == 1:
            return []
        self.network.share_memory()
        momenta = [self._optimizer.state[parameter]["momentum_buffer"] for parameter in self.network.parameters()]
        for tensor in (self._shared, *momenta, *self._average.values()):
            tensor.share_memory_()
        helpers = [
            processes.get_context("fork").Process(target=self._help, args=(number, per_epoch, os.getpid()))
            for number in range(1, self._workers)
        ]
        for helper in helpers:
            helper.start()
        return helpers

    def _help(self, number: int, per_epoch: int, parent: int) -> None:
        """Train until the first worker has exited."""
        torch.manual_seed((self.seed + number) * 1_000_003 + self._steps)
        self.network.train()
        while True:
            for chosen in torch.randperm(len(self._training.images)).split(self.recipe.batch):
                if self.stopped or os.getppid() != parent:
                    return
                self._step(chosen, per_epoch)

    def _epoch(self, per_epoch: int, started: float) -> float:
        torch.manual_seed(self.seed * 1_000_003 + self._steps)
        self.network.train()
        count, batch = len(self._training.images), self.recipe.batch
        order = torch.randperm(count, device=self._device)
        total = torch.zeros((), device=self._device)
        # With several workers, an epoch ends when all of them together have processed as many faces.
        first, done = self._steps, 0
        while self._steps - first < per_epoch:
            places = torch.arange(done * batch, (done + 1) * batch, device=self._device) % count
            total += self._step(order[places], per_epoch)
            done += 1
            if self.stopped:
                break
            if done % 20 == 0:
                if self._device == "cuda":
                    torch.cuda.synchronize()  # so that the clock includes the pending work
                self._shared[1] = time.perf_counter() - started
                if self._progress(per_epoch) >= 1:
                    break
        return float(total) / done

    def _step(self, chosen: Tensor, per_epoch: int) -> Tensor:
        """Take a training step on these faces; returns the loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(per_epoch)
        images, targets = self._batch(chosen)
        with torch.autocast(self._device, torch.bfloat16):
            logits = self.network(images)
        loss = _cross_entropy(logits.float(), targets)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self._shared[0] += 1
        self._follow()
        return loss.detach()

    def _batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        images = self._augmentation.apply(as_input(self._training.images[chosen]), self._backgrounds)
        targets = self._targets[chosen]
        if self.recipe.mixup:
            # The smaller weight is uniform from 0 to 0.5.
            lesser = torch.rand(len(chosen), device=self._device) / 2
            lesser = torch.where(torch.rand_like(lesser) < self.recipe.mixup, lesser, 0.0)
            other = torch.randperm(len(chosen), device=self._device)
            images = torch.lerp(images, images[other], lesser[:, None, None, None])
            targets = torch.lerp(targets, targets[other], lesser[:, None])
        images = images.contiguous(memory_format=torch.channels_last)
        if self._teachers:
            # The gradient is linear in the target: a random teacher per step has the same expectation as the mean of all.
            scores = teacher_scores(self._teachers[int(torch.randint(len(self._teachers), ()))], images)
            targets = mixed(Faces(images, targets), scores, self.recipe.teaching).targets
        return images, targets

    def _follow(self) -> None:
        """Update the moving average; its memory is short at first, so that it forgets the initial weights."""
        decay = min(self.recipe.averaging, (1 + self._steps) / (10 + self._steps))
        state = self.network.state_dict()
        moving = [key for key, value in state.items() if value.is_floating_point()]
        torch._foreach_lerp_([self._average[key] for key in moving], [state[key] for key in moving], 1 - decay)

    def _validate(self) -> dict[str, float]:
        averaged = copy.deepcopy(self.network)  # other workers keep training the network itself
        averaged.load_state_dict(self._average)
        figures = self._validation.figures(averaged)
        score = sum(figures[f"val_{name}"] for name in EMOTION_HEADS) / len(EMOTION_HEADS)
        if score > self.best:
            self.best = score
            self.best_state = {key: value.clone() for key, value in self._average.items()}
        return figures

    def _save(self) -> None:
        momentum = [
            self._optimizer.state[parameter].get("momentum_buffer", torch.zeros_like(parameter)).half()
            for parameter in self.network.parameters()
        ]
        with replaced(self.checkpoint) as partial:
            torch.save(
                {
                    "network": _half(self.network.state_dict()),
                    "average": _half(self._average),
                    "best_state": _half(self.best_state),
                    "momentum": momentum,
                    "epoch": self.epoch,
                    "steps": self._steps,
                    "elapsed": self.elapsed,
                    "best": self.best,
                    "rows": json.dumps(self.rows),
                },
                partial,
            )
        path = self.folder / "log.json"
        log = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        log[self.name] = {"recipe": vars(self.recipe), "seed": self.seed, "best": self.best, "epochs": self.rows}
        with replaced(path) as partial:
            partial.write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")

    @property
    def _device(self) -> str:
        return self._training.images.device.type


class replaced:
    """Atomic rename: writes a temporary file, which then replaces the target: ``with replaced(path) as partial``."""

    def __init__(self, path: Path) -> None:
        self._path, self._partial = path, path.with_name(path.name + ".partial")

    def __enter__(self) -> Path:
        return self._partial

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            os.replace(self._partial, self._path)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum over the outputs of the mean cross-entropy over all faces."""
    total = torch.zeros((), device=logits.device)
    for columns in COLUMNS.values():
        total = total - (targets[:, columns] * functional.log_softmax(logits[:, columns], dim=1)).sum() / len(logits)
    return total


def _smoothed(targets: Tensor, share: float) -> Tensor:
    labels = targets[:, COLUMNS["fer2013"]]
    known = labels.sum(dim=1, keepdim=True)
    targets = targets.clone()
    targets[:, COLUMNS["fer2013"]] = labels * (1 - share) + known * share / labels.shape[1]
    return targets


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Parameter groups with and without weight decay; normalization and biases have none."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert kernels to 16 bits, which halves the file; the rounding error is far below a training step. Others stay."""
    return {key: (value.half() if value.ndim > 1 else value).cpu() for key, value in state.items()}


def _full(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.float() if value.dtype == torch.float16 else value for key, value in state.items()}


def faces_of(images: np.ndarray, labels: np.ndarray, votes: np.ndarray, is_face: np.ndarray) -> Faces:
    """Create faces with the targets of all outputs.

    Args:
        images: uint8 (n, 48, 48).
        labels: (n,), -1 for none.
        votes: (n, 8), distributions; rows of zeros for none.
        is_face: bool (n,).
    """
    targets = np.zeros((len(images), sum(HEADS.values())), np.float32)
    known = labels >= 0
    targets[np.flatnonzero(known), labels[known]] = 1
    targets[:, COLUMNS["ferplus"]] = votes
    targets[np.arange(len(images)), COLUMNS["face"].start + is_face.astype(int)] = 1
    return Faces(torch.from_numpy(images[:, None]), torch.from_numpy(targets))
