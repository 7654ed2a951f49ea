"""Networks of `train_on_gpu` in PyTorch: the compact one as in Keras, and its wide teachers.

`Compact` is the architecture of emodetect.training.architectures.compact, layer by layer. `read_keras` and `write_keras` read and
write its weights as Keras's ``.weights.h5`` without Keras.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

HEADS = {"fer2013": 7, "ferplus": 8, "face": 2}
"""Outputs and their numbers of labels, in the order of the architecture `compact`."""

Blocks = tuple[tuple[int, int], ...]

BLOCKS: dict[str, Blocks] = {
    "compact": ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2)),
    "compact-deep": ((32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1)),
}
"""Filters and stride of each residual block, as in emodetect.training.architectures.compact."""

WIDE_BLOCKS: Blocks = ((128, 2), (128, 1), (128, 1), (224, 2), (224, 1), (224, 1), (320, 2), (320, 1))
"""Blocks of a teacher: 965 million multiply-adds at 48x48 and 7 million weights, 14 MB in 16 bits."""


class Convolution(nn.Sequential):
    """A convolution without bias, with Keras's padding, and batch normalization with Keras's epsilon."""

    def __init__(self, channels: int, filters: int, size: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels, filters, size, stride, padding=size // 2 if stride == 1 else 0, bias=False),
            nn.BatchNorm2d(filters, eps=1e-3, momentum=0.03),
        )
        # With a stride of 2 and even sides, Keras pads only at the bottom and on the right.
        self._padded = size == 3 and stride == 2

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.pad(x, (0, 1, 0, 1)) if self._padded else x)


class ResidualBlock(nn.Module):
    """Two convolutions, squeeze-and-excitation, and a shortcut."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = Convolution(channels, filters, stride=stride), Convolution(filters, filters)
        self.squeeze, self.excite = nn.Conv2d(filters, filters // 8, 1), nn.Conv2d(filters // 8, filters, 1)
        same_shape = stride == 1 and channels == filters
        self.shortcut = None if same_shape else Convolution(channels, filters, size=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(functional.relu(self.first(x)))
        gate = self.excite(functional.relu(self.squeeze(y.mean((2, 3), keepdim=True))))
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return functional.relu(shortcut + y * torch.sigmoid(gate))


class Network(nn.Module):
    """A stem, residual blocks and one linear layer per output.

    Input float32 (n, 1, 48, 48) in 0..1; output the logits of all heads, concatenated, float32 (n, 17).
    """

    def __init__(self, stem: Sequence[tuple[int, int]], blocks: Blocks, dropout: float) -> None:
        super().__init__()
        channels = 1
        convolutions: list[nn.Module] = []
        for filters, stride in stem:
            convolutions.append(Convolution(channels, filters, stride=stride))
            channels = filters
        self.stem = nn.ModuleList(convolutions)
        residual: list[nn.Module] = []
        for filters, stride in blocks:
            residual.append(ResidualBlock(channels, filters, stride))
            channels = filters
        self.blocks = nn.Sequential(*residual)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(channels, count) for name, count in HEADS.items()})
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        """What the outputs are computed from, (n, channels)."""
        x = 4 * x - 2  # about zero mean, unit variance
        for convolution in self.stem:
            x = functional.relu(convolution(x))
        return self.dropout(self.blocks(x).mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        with torch.autocast(x.device.type, enabled=False):
            return torch.cat([head(x.float()) for head in self.heads.values()], dim=1)


def compact(blocks: Blocks, dropout: float = 0.1) -> Network:
    """Create the compact network."""
    return Network(((16, 1), (32, 2)), blocks, dropout)


def create_teacher(dropout: float = 0.3) -> Network:
    """Create a teacher."""
    return Network(((64, 1),), WIDE_BLOCKS, dropout)


def multiply_adds(network: Network, side: int = 48) -> int:
    """Number of multiply-adds of the convolutions for one face."""
    count = 0

    def add(layer: nn.Module, _: object, result: Tensor) -> None:
        nonlocal count
        count += result[0, 0].numel() * layer.weight.numel()

    hooks = [layer.register_forward_hook(add) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    training = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(1, 1, side, side, device=next(network.parameters()).device))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return count


def grow(network: Network, blocks: Blocks, older: Network, older_blocks: Blocks) -> None:
    """Initialize a network from one with fewer blocks per stage, so that it computes exactly the same (Chen et al. 2016).

    An additional block contributes nothing at first: its last normalization is scaled by 0.

    Args:
        network: receives the weights; its blocks are `blocks`.
        blocks: filters and stride of each of its blocks.
        older: the smaller network, with `older_blocks`.
        older_blocks: a part of `blocks`, in the same order.
    """
    network.stem.load_state_dict(older.stem.state_dict())
    network.heads.load_state_dict(older.heads.state_dict())
    taken = 0
    for block, shape in zip(network.blocks, blocks, strict=True):
        # The first blocks of a stage come from the older network, as many as it has.
        if taken < len(older_blocks) and older_blocks[taken] == shape:
            block.load_state_dict(older.blocks[taken].state_dict())
            taken += 1
        else:
            nn.init.zeros_(block.second[1].weight)
    if taken != len(older_blocks):
        raise ValueError("the older network has blocks that the new one does not have")


def read_keras(path: Path, dropout: float = 0.1) -> tuple[Network, Blocks]:
    """Read a Keras weights file of either compact architecture; returns the network and its blocks."""
    import h5py

    with h5py.File(path, "r") as file:
        found = sum(name.startswith("conv2d") for name in file["layers"])
        for blocks in BLOCKS.values():
            network = compact(blocks, dropout)
            places = list(_keras_places(network))
            if sum(name.startswith("layers/conv2d") and name.endswith("/0") for name, _ in places) == found:
                break
        else:
            raise ValueError(f"{path}: holds the weights of another network")
        with torch.no_grad():
            for name, tensor in places:
                values = np.asarray(file[name])
                tensor.copy_(torch.from_numpy(values.transpose(_to_torch(values.ndim)).copy()))
    return network, blocks


def write_keras(network: Network, path: Path) -> None:
    """Write the weights of the compact network for Keras's ``load_weights``."""
    import h5py

    with h5py.File(path, "w") as file:
        file.create_group("vars").attrs["name"] = "compact"
        for name, tensor in _keras_places(network):
            values = tensor.detach().float().cpu().numpy()
            file[name] = np.ascontiguousarray(values.transpose(_to_keras(values.ndim)))


def _to_torch(dimensions: int) -> tuple[int, ...]:
    return {4: (3, 2, 0, 1), 2: (1, 0)}.get(dimensions, (0,))


def _to_keras(dimensions: int) -> tuple[int, ...]:
    return {4: (2, 3, 1, 0), 2: (1, 0)}.get(dimensions, (0,))


def _keras_places(network: Network) -> Iterator[tuple[str, Tensor]]:
    """Path of each tensor of the compact network in Keras's file; layers are numbered per class, by depth."""
    counts: dict[str, int] = {}

    def layer(kind: str, *tensors: Tensor) -> Iterator[tuple[str, Tensor]]:
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        name = f"{kind}_{number}" if number else kind
        for index, tensor in enumerate(tensors):
            yield f"layers/{name}/vars/{index}", tensor

    def normalization(module: nn.BatchNorm2d) -> Iterator[tuple[str, Tensor]]:
        return layer("batch_normalization", module.weight, module.bias, module.running_mean, module.running_var)

    for convolution in network.stem:
        yield from layer("conv2d", convolution[0].weight)
        yield from normalization(convolution[1])
    for block in network.blocks:
        for convolution in (block.first, block.second):
            yield from layer("conv2d", convolution[0].weight)
            yield from normalization(convolution[1])
        yield from layer("conv2d", block.squeeze.weight, block.squeeze.bias)
        if block.shortcut is not None:
            yield from layer("conv2d", block.shortcut[0].weight)
            yield from normalization(block.shortcut[1])
        yield from layer("conv2d", block.excite.weight, block.excite.bias)
    for head in network.heads.values():
        yield from layer("dense", head.weight, head.bias)
