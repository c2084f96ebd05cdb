"""Writes pytorch.csv: what PyTorch says of two training steps and an evaluation of every network of `spinal list --all`.

    pip install torch safetensors numpy
    python tests/zoo/pytorch.py [MODEL ...]

Without names the file is written anew; with names their lines are printed. The networks, their weights and their batches
are those of tests/fixtures/families.py, which says by what formula they are drawn, with one change: weights come from
+-sqrt(6 / fan_in), so that what passes through ReLUs keeps its size and the evaluation still feels the first layers.

The second step takes the samples of the first in the opposite order: its loss then shows what the first has changed.

Everything is computed in float64, and then in float32: as it is, with weights changed in their last bit, and with all
gradients turned that are within rounding of a kink. The largest distances from float64 stand beside the losses.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "fixtures"))

import families  # noqa: E402
import generate  # noqa: E402

SEED = 1
REPETITIONS = 3  # in float32, beside the turned ones
DECREASE = 0.1  # what the first step takes from the loss of its batch, to first order
SENSITIVITY = 20  # how many times its tolerance a loss moves by the training, at least
LUCK = 4  # as in tests/common/tolerance.rs
GREY, CIFAR, ROW = (28, 28, 1), (32, 32, 3), (8,)


class Mlp(families.Net):
    def __init__(self, hidden, width, depth, spinal):
        super().__init__()
        if spinal:
            self.spinal = families.Spinal(784, width, depth, 10)
        else:
            self.fully_connected([784, hidden, 10])

    def features(self, x):
        return x.flatten(1)


def pair(build):
    return {"spinal": lambda classes: build(classes, True), "baseline": lambda classes: build(classes, False)}


def nets():
    """`[(family, {net: build(classes)}, class counts, shape of a sample, batch)]`, in the order of `spinal list --all`."""
    mnist_heads = {
        "spinal": "spinal",
        "baseline": "fc",
        "spinal-w10": "spinal-w10",
        "baseline-no-dropout": "fc",
        "fc-equal": "fc-equal",
        "spinal-no-chain": "spinal-no-chain",
        "spinal-full-input": "spinal-full-input",
    }
    mnist = {net: lambda classes, head=head: families.MnistCnn(classes, head) for net, head in mnist_heads.items()}
    arch2 = {
        net: lambda classes, width=width: families.Arch2(classes, width)
        for net, width in [("spinal", 30), ("spinal-w50", 50), ("spinal-w300", 300)]
    }
    regression = {
        "spinal": lambda _: generate.RegressionSpinal(range(6)),
        "baseline": lambda _: generate.RegressionBaseline(),
        "spinal-tied": lambda _: generate.RegressionSpinal([0, 1, 2, 3, 2, 3]),
    }
    yield "mnist-cnn", mnist, [10], GREY, 4
    yield "arch2", arch2, [10], GREY, 4
    yield "vgg5", pair(lambda classes, spinal: families.Vgg5(classes, 256, spinal)), [10, 26, 47, 62], GREY, 4
    yield "cifar-cnn", pair(lambda classes, spinal: families.CifarCnn(classes, 4096, spinal)), [10, 100], CIFAR, 2
    for depth in (11, 13, 16, 19):
        vgg = pair(lambda classes, spinal, depth=depth: families.CifarVgg(depth, classes, spinal))
        yield f"cifar-vgg{depth}", vgg, [10, 100], CIFAR, 2
    for depth in (18, 34):
        resnet = pair(lambda classes, spinal, depth=depth: families.CifarResNet(depth, classes, spinal))
        yield f"cifar-resnet{depth}", resnet, [10, 100], CIFAR, 2
    for depth, widen in ((28, 10), (16, 8)):
        wide = pair(
            lambda classes, spinal, depth=depth, widen=widen: families.WideResNet(depth, widen, classes, spinal)
        )
        # A sample of WRN-28-10 costs 5.2 G multiplications.
        yield f"wrn-{depth}-{widen}", wide, [10], CIFAR, 2
        yield f"wrn-{depth}-{widen}", wide, [100], CIFAR, 1
    yield "mlp", pair(lambda _, spinal: Mlp(300, 50, 6, spinal)), [10], GREY, 4
    yield "custom", pair(lambda _, spinal: Mlp(200, 20, 10, spinal)), [10], GREY, 4
    yield "regression", regression, [1], ROW, 4


def networks():
    """`(model, classes, shape of a sample, batch, build)` of every line."""
    for family, builds, class_counts, shape, batch in nets():
        for classes in class_counts:
            for net, build in builds.items():
                yield f"{family}-{net}", classes, shape, batch, lambda build=build, classes=classes: build(classes)


def samples(shape, batch, classes):
    """Rows of numbers of [-1, 1) and one to predict, or images and labels."""
    if shape == ROW:
        x = torch.from_numpy(families.uniform(SEED, "x", batch * 8)).float().reshape(-1, 8)
        return x, torch.from_numpy(families.uniform(SEED, "y", batch)).float().reshape(-1, 1)
    return families.Batches(families.Case(None, shape, batch, classes), SEED).at(0, torch.float64)


def initialise(net):
    """float32 weights by the formula."""
    families.initialise(net, SEED)
    for name, parameter in net.named_parameters():
        if parameter.dim() > 1:
            draws = families.uniform(SEED, name, parameter.numel())
            scaled = math.sqrt(6) * draws / math.sqrt(math.prod(parameter.shape[1:]))
            parameter.data = torch.from_numpy(scaled.astype(np.float32)).reshape(parameter.shape)
    return net


class Training:
    """One net in one precision: losses of its steps and of an evaluation."""

    def __init__(self, build, samples, dtype, repetition=0, turned=0):
        self.net = initialise(build()).to(dtype).train()
        if repetition:
            for name, parameter in self.net.named_parameters():
                draws = families.uniform(SEED, f"{name} repetition {repetition}", parameter.numel())
                last_bit = torch.from_numpy(1 + 2.0**-23 * draws).reshape(parameter.shape)
                parameter.data = (parameter.data.double() * last_bit).to(dtype)
        self.x, self.y = samples[0].to(dtype), samples[1]
        self.loss_of = F.cross_entropy
        if self.y.is_floating_point():
            self.y, self.loss_of = self.y.to(dtype), F.mse_loss
        self.turned = turned
        self.losses = []

    def loss(self):
        """The loss, and what came to the kinks."""
        families.KINKS.turned = self.turned
        loss = self.loss_of(self.net(self.x), self.y)
        return loss, families.KINKS.take()

    def begin(self):
        """The first pass there and back; returns what came to the kinks."""
        loss, kinks = self.loss()
        loss.backward()
        self.losses.append(loss.item())
        return kinks

    def lr(self):
        """The rate that takes `DECREASE` of the first loss, exact in float32."""
        norm = sum(p.grad.square().sum() for p in self.net.parameters()).item()
        return float(np.float32(f"{DECREASE * self.losses[0] / norm:.2g}"))

    def finish(self, lr):
        """All three losses."""
        optimizer = torch.optim.SGD(self.net.parameters(), lr=lr, momentum=0.5)
        optimizer.step()
        optimizer.zero_grad()
        loss, _ = self.loss()
        loss.backward()
        self.losses.append(loss.item())
        optimizer.step()
        self.losses.append(self.evaluate())
        return self.losses

    def evaluate(self):
        self.net.eval()
        with torch.no_grad():
            return self.loss()[0].item()

    def without_updates(self):
        """What the losses would be if no weight moved."""
        with torch.no_grad():
            second = self.loss()[0].item()
        return [second, self.evaluate()]


def line(model, classes, shape, batch, build):
    data = samples(shape, batch, classes)
    exact = Training(build, data, torch.float64)
    kinks = exact.begin()
    lr = exact.lr()
    repetitions, reaches = [], [0.0] * len(kinks)
    for number in range(REPETITIONS):
        rounded = Training(build, data, torch.float32, number)
        pairs = zip(kinks, rounded.begin(), reaches, strict=True)
        reaches = [max(reach, (r[0].double() - k[0]).abs().max().item()) for k, r, reach in pairs]
        repetitions.append(rounded.finish(lr))
    families.KINKS.reaches = reaches
    for turned in (1, -1):
        rounded = Training(build, data, torch.float32, turned=turned)
        rounded.begin()
        repetitions.append(rounded.finish(lr))
    losses = exact.finish(lr)
    errors = [max(abs(each[i] - losses[i]) for each in repetitions) for i in range(3)]
    idle = Training(build, data, torch.float64)
    with torch.no_grad():
        idle.loss()
    for what, loss, unmoved, error in zip(("step 2", "evaluation"), losses[1:], idle.without_updates(), errors[1:]):
        if abs(loss - unmoved) < SENSITIVITY * LUCK * error:
            print(f"{model} {classes}: {what} hardly feels the training: {loss} {unmoved} {error}", file=sys.stderr)
    fields = [model, classes, batch, f"{lr:.2g}", *(f"{x:.9g}" for x in losses), *(f"{x:.1e}" for x in errors)]
    return ",".join(map(str, fields))


def main():
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description="Write what PyTorch says of all networks.")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="print these; write all if absent")
    models = parser.parse_args().models
    lines = ["model,classes,batch,lr,loss 1,loss 2,evaluation,error 1,error 2,error of the evaluation"]
    for network in networks():
        if not models or network[0] in models:
            lines.append(line(*network))
            print(lines[-1], flush=True)
    if not models:
        (HERE / "pytorch.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
