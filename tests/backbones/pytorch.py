"""Writes pytorch.csv and freezing.csv: what PyTorch says of three training steps and an evaluation of every backbone.

    pip install torch torchvision safetensors numpy
    python tests/backbones/pytorch.py [MODEL ...]

Without names the files are written anew; with names their lines are printed. networks.py beside this file has the networks.
Weights, batches, the two precisions and what is done about kinks are those of tests/zoo/pytorch.py, where the last
normalisation of every block of a ResNet is quartered and kinks are turned by chance, too.

A line of pytorch.csv holds losses and, in the order of their names, the L2 norms of the gradients that the first step gives
all parameters. One of freezing.csv holds losses and the L2 norms of what the three steps change in those that are trained.
Every result stands as VALUE+-ERROR, where the error is the largest distance of float32 from it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "zoo"))

import networks  # noqa: E402
import pytorch as zoo  # noqa: E402  (torchvision, too, looks for a module of this name, and is content with that of the zoo)

families = networks.families
STEPS = 3
CHANCES = 3  # repetitions in float32 whose kinks are turned by chance, beside those of the zoo
WEIGHT_DECAY = 0.5  # AdamW's: much, so that three steps feel it

STATISTICS = "statistics"

# As small as the last batch normalisation has a dozen values a channel. The sizes are odd somewhere along the way, and
# alexnet's and vgg's last windows overlap.
SMALL, WIDE, ALEXNET = (67, 61), (35, 64), (67, 95)
BACKBONES = {
    "alexnet": (ALEXNET, 2),
    **{f"vgg{depth}": (WIDE, 2) for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": (WIDE, 4) for depth in (11, 13, 16, 19)},
    "resnet18": (SMALL, 4),
    "resnet34": (SMALL, 4),
    "resnet50": (SMALL, 2),
    "resnet101": (SMALL, 2),
    "resnet152": (SMALL, 2),
    "wide_resnet50_2": (SMALL, 2),
    "wide_resnet101_2": (SMALL, 2),
    "resnext50_32x4d": (SMALL, 2),
    "efficientnet_lite0": (SMALL, 4),
}
HEADS = ["spinal", "baseline"]

# What of resnet18-spinal is frozen, by what the rate of the rest of the backbone is multiplied, and the optimiser. The
# running statistics of all normalisations can be frozen alone.
FREEZINGS = [
    ("backbone", 1.0, "sgd"),
    ("until:layer2", 1.0, "sgd"),
    ("until:layer3.0", 0.1, "adamw"),
    ("none", 0.1, "sgd"),
    ("none", 0.1, "adamw"),
    (STATISTICS, 1.0, "sgd"),
]


def is_frozen(name, freeze):
    """Whether a parameter or module of a resnet18 is frozen: its children stand in the order in which x passes them."""
    if freeze in ("none", STATISTICS):
        return False
    if freeze == "backbone":
        return not name.startswith("spinal")
    last = freeze.removeprefix("until:")
    order = ["conv1", "bn1"] + [f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2)]
    reached = order[: max(i for i, part in enumerate(order) if f"{part}.".startswith(f"{last}.")) + 1]
    return any(f"{name}.".startswith(f"{part}.") for part in reached)


class Training(zoo.Training):
    """A network in one precision: the losses of all steps and of an evaluation, and gradients or changes."""

    def __init__(self, build, samples, freezing, dtype, repetition=0, turned=0):
        super().__init__(build, samples, dtype, repetition, turned)
        networks.weaken_branches(self.net)
        self.freeze, self.rate, self.optimizer = freezing
        for name, module in self.net.named_modules():
            if name and is_frozen(name, self.freeze) or self.freeze == STATISTICS:
                module.eval()
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(not is_frozen(name, self.freeze))
        self.initial = {name: p.detach().clone() for name, p in self.trained().items()}

    def trained(self):
        return {name: p for name, p in sorted(self.net.named_parameters()) if p.requires_grad}

    def in_backbone(self, name):
        return not name.startswith(("spinal.", "fc1."))

    def begin(self):
        kinks = super().begin()
        self.gradients = [p.grad.norm().item() for p in self.trained().values()]
        return kinks

    def lr(self):
        """The rate that takes `zoo.DECREASE` of the first loss, exact in float32."""
        felt = 0.0
        for name, parameter in self.trained().items():
            rate = self.rate if self.in_backbone(name) else 1.0
            # The first step of Adam is the sign of the gradient.
            power = 1 if self.optimizer == "adamw" else 2
            felt += rate * parameter.grad.abs().pow(power).sum().item()
        return float(np.float32(f"{zoo.DECREASE * self.losses[0] / felt:.2g}"))

    def finish(self, lr):
        """All losses and the evaluation."""
        groups = [
            {"params": [p for name, p in self.trained().items() if self.in_backbone(name) == inner], "lr": lr * rate}
            for inner, rate in ((True, self.rate), (False, 1.0))
        ]
        groups = [group for group in groups if group["params"]]
        if self.optimizer == "adamw":
            optimizer = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
        else:
            optimizer = torch.optim.SGD(groups, momentum=0.5)
        for step in range(1, STEPS + 1):
            if step > 1:
                loss, _ = self.loss()
                loss.backward()
                self.losses.append(loss.item())
            optimizer.step()
            optimizer.zero_grad()
        self.changes = [(p - self.initial[name]).norm().item() for name, p in self.trained().items()]
        self.losses.append(self.evaluate())
        return self.losses


def measured(model, size, batch, freezing, norms_of):
    """The rate, and all results with their errors: losses, the evaluation and norms."""
    backbone, head = model.rsplit("-", 1)
    data = zoo.samples((*size, 3), batch, networks.CLASSES)

    def begun(dtype, repetition=0, turned=0):
        training = Training(lambda: networks.build(backbone, head), data, freezing, dtype, repetition, turned)
        return training, training.begin()

    exact, kinks = begun(torch.float64)
    lr = exact.lr()

    def results(training):
        return np.array([*training.finish(lr), *norms_of(training)])

    repetitions, reaches = [], [0.0] * len(kinks)
    for number in range(zoo.REPETITIONS):
        rounded, seen = begun(torch.float32, number)
        pairs = zip(kinks, seen, reaches, strict=True)
        reaches = [max(reach, (r[0].double() - k[0]).abs().max().item()) for k, r, reach in pairs]
        repetitions.append(results(rounded))
    del kinks, rounded, seen
    families.KINKS.reaches = reaches
    torch.manual_seed(zoo.SEED)
    for turned in (1, -1, *[networks.BY_CHANCE] * CHANCES):
        repetitions.append(results(begun(torch.float32, turned=turned)[0]))
    values = results(exact)
    del exact
    errors = np.abs(np.array(repetitions) - values).max(axis=0)
    untrained = Training(lambda: networks.build(backbone, head), data, freezing, torch.float64).evaluate()
    for step, idle in enumerate([values[0]] * (STEPS - 1) + [untrained], 1):
        if abs(values[step] - idle) < zoo.SENSITIVITY * zoo.LUCK * errors[step]:
            what = f"{model} {freezing}: loss {step + 1}"
            print(f"{what} hardly feels the training: {values[step]} {idle} {errors[step]}", file=sys.stderr)
    return [f"{lr:.2g}", *(f"{value:.8g}+-{error:.1e}" for value, error in zip(values, errors))]


def lines(models):
    """All lines of both files."""
    whole = ("none", 1.0, "sgd")
    nets = [(f"{backbone}-{head}", *BACKBONES[backbone]) for backbone in BACKBONES for head in HEADS]
    for model, size, batch in nets:
        if not models or model in models:
            results = measured(model, size, batch, whole, lambda training: training.gradients)
            yield "pytorch.csv", [model, *size, batch, *results]
    for freezing in FREEZINGS:
        if not models or "freezing" in models:
            results = measured("resnet18-spinal", *BACKBONES["resnet18"], freezing, lambda training: training.changes)
            yield "freezing.csv", [*freezing, *results]


def main():
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description="Write what PyTorch says of all backbones.")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="print these, or `freezing`; write all if absent")
    models = parser.parse_args().models
    losses = [*(f"loss {step}" for step in range(1, STEPS + 1)), "evaluation", "norms by name"]
    files = {
        "pytorch.csv": ["model", "height", "width", "batch", "lr", *losses],
        "freezing.csv": ["freeze", "lr of the backbone", "optimizer", "lr", *losses],
    }
    files = {name: [",".join(header)] for name, header in files.items()}
    for name, fields in lines(models):
        files[name].append(",".join(map(str, fields)))
        print(files[name][-1], flush=True)
    if not models:
        for name, content in files.items():
            (HERE / name).write_text("\n".join(content) + "\n")


if __name__ == "__main__":
    main()
