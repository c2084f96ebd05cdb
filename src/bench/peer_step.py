"""The networks of `spinal list` in PyTorch, as a peer that is timed beside them. `spinal bench peers` runs this.

It answers lines on stdin with lines of JSON on stdout:

    (start)    {"torch": version, "device": name, "threads": n, "parameters": n}
    train K    {"seconds": s}    K training steps
    infer K    {"seconds": s}    K inferences
    memory     {"bytes": n}      what training has taken at most
"""

import argparse
import json
import sys
import time
from importlib import import_module

try:
    import resource

    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError as error:
    print(json.dumps({"error": f"{error}"}), flush=True)
    sys.exit(0)


class Spinal(nn.Module):
    """A chain of `depth` sub-layers of `width`, which see slices of the input in turn, and a Linear over all of them."""

    def __init__(self, features, width, depth, outputs, splits=2, dropout=0.0, norm=False, activation=nn.ReLU):
        super().__init__()
        self.size = features // splits
        self.splits = splits

        def sub_layer(inputs):
            parts = [nn.Dropout(dropout)] if dropout else []
            parts.append(nn.Linear(inputs, width))
            if norm:
                parts.append(nn.BatchNorm1d(width))
            return nn.Sequential(*parts, activation())

        self.sub_layers = nn.ModuleList(sub_layer(self.size + (width if l else 0)) for l in range(depth))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width * depth, outputs)

    def forward(self, x):
        slices = x.split(self.size, dim=1)
        hidden = []
        for l, sub_layer in enumerate(self.sub_layers):
            part = slices[l % self.splits]
            hidden.append(sub_layer(torch.cat([part, hidden[-1]], dim=1) if hidden else part))
        return self.output(self.dropout(torch.cat(hidden, dim=1)))


def fully_connected(sizes, before=0.0, after=0.0, norm=False, activation=nn.ReLU):
    """Linears; after each but the last, BatchNorm if wanted, the activation and dropout `after`."""
    layers = [nn.Dropout(before)] if before else []
    for index, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers.append(nn.Linear(inputs, outputs))
        if index < len(sizes) - 2:
            layers += [nn.BatchNorm1d(outputs)] if norm else []
            layers.append(activation())
            layers += [nn.Dropout(after)] if after else []
    return nn.Sequential(*layers)


def conv_bn_relu(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def blocks(channels, widths):
    """Blocks of 3x3 convolutions with BatchNorm and ReLU, each block with a 2x2 pooling at its end."""
    layers = []
    for block in widths:
        for outputs in block:
            layers += conv_bn_relu(channels, outputs)
            channels = outputs
        layers.append(nn.MaxPool2d(2))
    return layers


def mnist_cnn(head):
    convolutions = [nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(10, 20, 5)]
    return nn.Sequential(*convolutions, nn.Dropout2d(0.5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), head)


def vgg5(head):
    return nn.Sequential(*blocks(1, [[64] * 2, [128] * 2, [256] * 3, [256] * 3]), nn.Flatten(), head)


def cifar_cnn(head):
    layers, channels = [], 3
    for block, (first, second) in enumerate([(32, 64), (128, 128), (256, 256)]):
        layers += conv_bn_relu(channels, first)
        layers += [nn.Conv2d(first, second, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        layers += [nn.Dropout2d(0.05)] if block == 1 else []
        channels = second
    return nn.Sequential(*layers, nn.Flatten(), head)


def cifar_vgg(counts, head):
    widths = [[width] * count for width, count in zip([64, 128, 256, 512, 512], counts)]
    return nn.Sequential(*blocks(3, widths), nn.Flatten(), head)


def conv(inputs, outputs, size, stride):
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


class BasicBlock(nn.Module):
    """The authors': shortcuts are 3x3 convolutions with BatchNorm, and no ReLU follows the sum."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs, 3, 1), nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        shortcut = [conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)] if changes else []
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return self.bn2(self.conv2(y)) + self.shortcut(x)


class Cells(nn.Module):
    """Max pooling to `side` x `side` cells, which follow one another in the row."""

    def __init__(self, side):
        super().__init__()
        self.side = side

    def forward(self, x):
        return F.max_pool2d(x, x.shape[-1] // self.side).permute(0, 2, 3, 1).flatten(1)


def cifar_resnet(counts, side, head):
    layers = [conv(3, 32, 3, 1), nn.BatchNorm2d(32), nn.ReLU(inplace=True), nn.Dropout2d(0.02)]
    channels = 32
    for stage, (width, count) in enumerate(zip([32, 64, 128, 256], counts)):
        for block in range(count):
            layers.append(BasicBlock(channels, width, 2 if stage and block == 0 else 1))
            channels = width
    return nn.Sequential(*layers, Cells(side), head)


class WideBlock(nn.Module):
    """Pre-activation: BN ReLU conv BN ReLU conv, beside x or a 1x1 convolution of what the first BN ReLU gives."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv(outputs, outputs, 3, 1)
        self.shortcut = conv(inputs, outputs, 1, stride) if inputs != outputs else None

    def forward(self, x):
        activated = F.relu(self.bn1(x), inplace=False)
        y = self.conv2(F.relu(self.bn2(self.conv1(activated)), inplace=True))
        return y + (self.shortcut(activated) if self.shortcut else x)


def wide_resnet(depth, widen, head):
    layers, channels = [conv(3, 16, 3, 1)], 16
    for width, stride in [(16 * widen, 1), (32 * widen, 2), (64 * widen, 2)]:
        for block in range((depth - 4) // 6):
            layers.append(WideBlock(channels, width, stride if block == 0 else 1))
            channels = width
    layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, head)


class SameConv2d(nn.Conv2d):
    """Padded as TensorFlow's `SAME`."""

    def forward(self, x):
        sizes = zip(x.shape[2:], self.kernel_size, self.stride)
        rows, columns = [max((-(-size // step) - 1) * step + kernel - size, 0) for size, kernel, step in sizes]
        padding = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return super().forward(F.pad(x, padding) if any(padding) else x)


def same_bn_relu6(inputs, outputs, kernel, stride=1, groups=1, activation=True):
    layers = [SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False), nn.BatchNorm2d(outputs, eps=1e-3)]
    return layers + [nn.ReLU6(inplace=True)] * activation


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        layers = same_bn_relu6(inputs, wide, 1) if expansion > 1 else []
        layers += same_bn_relu6(wide, wide, kernel, stride, groups=wide)
        self.layers = nn.Sequential(*layers, *same_bn_relu6(wide, outputs, 1, activation=False))
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.is_residual else self.layers(x)


def efficientnet_lite0(head):
    stages = [(1, 1, 3, 1, 16), (2, 6, 3, 2, 24), (2, 6, 5, 2, 40), (3, 6, 3, 2, 80)]
    stages += [(3, 6, 5, 1, 112), (4, 6, 5, 2, 192), (1, 6, 3, 1, 320)]
    layers, channels = same_bn_relu6(3, 32, 3, 2), 32
    for blocks, expansion, kernel, stride, outputs in stages:
        for block in range(blocks):
            layers.append(InvertedResidual(channels, outputs, kernel, 1 if block else stride, expansion))
            channels = outputs
    layers += same_bn_relu6(320, 1280, 1)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def of_torchvision(name, head):
    """A backbone of torchvision with another head, or with its own."""
    net = getattr(import_module("torchvision.models"), name)()
    if head is not None:
        setattr(net, "fc" if hasattr(net, "fc") else "classifier", head)
    return net


GREY, COLOUR, PHOTOGRAPH = (1, 28, 28), (3, 32, 32), (3, 224, 224)
# Features of torchvision's backbones.
FEATURES = {"alexnet": 9216, "resnet18": 512, "resnet34": 512}
FEATURES |= {f"vgg{depth}{norm}": 25088 for depth in (11, 13, 16, 19) for norm in ("", "_bn")}
FEATURES |= {name: 2048 for name in ("resnet50", "resnet101", "resnet152", "resnext50_32x4d")}
FEATURES |= {name: 2048 for name in ("wide_resnet50_2", "wide_resnet101_2")}
VGG = {11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4]}
RESNET = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3]}


def networks():
    """Builders by name, with the shape of a sample: an image of ten classes, or a row of eight numbers with one target."""
    nets = {
        "mnist-cnn-spinal": (GREY, lambda: mnist_cnn(Spinal(320, 8, 6, 10))),
        "mnist-cnn-baseline": (GREY, lambda: mnist_cnn(fully_connected([320, 50, 10], after=0.5))),
        "vgg5-spinal": (GREY, lambda: vgg5(Spinal(256, 128, 4, 10, dropout=0.5, norm=True))),
        "vgg5-baseline": (GREY, lambda: vgg5(fully_connected([256, 512, 10], 0.5, 0.5, norm=True))),
        "cifar-cnn-spinal": (COLOUR, lambda: cifar_cnn(Spinal(4096, 128, 4, 10, dropout=0.1))),
        "cifar-cnn-baseline": (COLOUR, lambda: cifar_cnn(fully_connected([4096, 1024, 512, 10], 0.1, 0.1))),
        "mlp-spinal": (GREY, lambda: nn.Sequential(nn.Flatten(), Spinal(784, 50, 6, 10))),
        "regression-spinal": ((8,), lambda: Spinal(8, 50, 6, 1, activation=nn.LeakyReLU)),
        "regression-baseline": ((8,), lambda: fully_connected([8, 200, 100, 1], activation=nn.LeakyReLU)),
    }
    for depth, counts in VGG.items():
        fc = lambda counts=counts: cifar_vgg(counts, fully_connected([512, 4096, 4096, 10], after=0.5))
        spinal = lambda counts=counts: cifar_vgg(counts, Spinal(512, 512, 4, 10, dropout=0.5))
        nets |= {f"cifar-vgg{depth}-baseline": (COLOUR, fc), f"cifar-vgg{depth}-spinal": (COLOUR, spinal)}
    for depth, counts in RESNET.items():
        linear = lambda counts=counts: cifar_resnet(counts, 1, nn.Linear(256, 10))
        spinal = lambda counts=counts: cifar_resnet(counts, 2, Spinal(1024, 256, 4, 10, splits=4))
        nets |= {f"cifar-resnet{depth}-baseline": (COLOUR, linear), f"cifar-resnet{depth}-spinal": (COLOUR, spinal)}
    for depth, widen in [(28, 10), (16, 8)]:
        linear = lambda d=depth, w=widen: wide_resnet(d, w, nn.Linear(64 * w, 10))
        spinal = lambda d=depth, w=widen: wide_resnet(d, w, Spinal(64 * w, 20, 4, 10))
        nets |= {f"wrn-{depth}-{widen}-baseline": (COLOUR, linear), f"wrn-{depth}-{widen}-spinal": (COLOUR, spinal)}
    builders = {
        name: (features, lambda head, name=name: of_torchvision(name, head)) for name, features in FEATURES.items()
    }
    builders["efficientnet_lite0"] = (1280, lambda head: efficientnet_lite0(head or nn.Linear(1280, 1000)))
    for name, (features, build) in builders.items():
        heads = {
            "baseline": lambda features=features: nn.Linear(features, 10),
            "spinal": lambda features=features: Spinal(features, 10, 4, 10),
            "original": lambda: None,
        }
        for net, head in heads.items():
            nets[f"{name}-{net}"] = (PHOTOGRAPH, lambda build=build, head=head: build(head()))
    return nets


class Peer:
    """A network with a resident data set; a step gathers, trains and updates, an inference runs on a given batch."""

    def __init__(self, shape, build, options):
        torch.manual_seed(1)
        self.device = torch.device(options.device)
        layout = torch.channels_last if options.channels_last and len(shape) == 3 else torch.contiguous_format
        self.net = build().to(self.device, memory_format=layout)
        self.layout = layout
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1e-4, momentum=0.5)
        self.batch = options.batch_size
        self.is_image = len(shape) == 3
        if options.image_size:
            shape = (shape[0], options.image_size, options.image_size)
        count = 2 * self.batch
        if self.is_image:
            self.samples = torch.randint(0, 256, (count, *shape), dtype=torch.uint8).to(self.device)
            self.labels = torch.randint(0, 10, (count,)).to(self.device)
        else:
            self.samples = torch.randn(count, *shape).to(self.device)
            self.labels = torch.randn(count, 1).to(self.device)
        self.orders = [torch.arange(count)[n::2].to(self.device) for n in range(2)]
        self.input = self.gather(self.orders[0])

    def gather(self, order):
        x = self.samples[order]
        if self.is_image:
            x = x.float().mul_(2 / 255).sub_(1).contiguous(memory_format=self.layout)
        return x

    def train(self, steps):
        self.net.train()
        loss_of = F.cross_entropy if self.is_image else F.mse_loss
        for step in range(steps):
            order = self.orders[step % 2]
            self.optimizer.zero_grad(set_to_none=True)
            loss_of(self.net(self.gather(order)), self.labels[order]).backward()
            self.optimizer.step()

    @torch.no_grad()
    def infer(self, times):
        self.net.eval()
        for _ in range(times):
            self.net(self.input)

    def seconds(self, run, times):
        self.wait()
        started = time.perf_counter()
        run(times)
        self.wait()
        return time.perf_counter() - started

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def resident_bytes():
    """The largest resident set of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def answer(value):
    print(json.dumps(value), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--device", choices=["cpu", "cuda"], required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--channels-last", action="store_true")
    options = parser.parse_args()
    nets = networks()
    if options.model not in nets:
        return answer({"error": f"no such network here; it knows {', '.join(nets)}"})
    if options.device == "cuda" and not torch.cuda.is_available():
        return answer({"absent": True})
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    before = resident_bytes()
    peer = Peer(*nets[options.model], options)
    name = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    parameters = sum(parameter.numel() for parameter in peer.net.parameters())
    answer(
        {
            "torch": torch.__version__,
            "device": name,
            "threads": torch.get_num_threads(),
            "parameters": parameters,
        }
    )
    for line in sys.stdin:
        command, *number = line.split()
        if command == "memory":
            cuda = options.device == "cuda"
            answer({"bytes": torch.cuda.max_memory_allocated() if cuda else resident_bytes() - before})
        else:
            run = {"train": peer.train, "infer": peer.infer}[command]
            answer({"seconds": peer.seconds(run, int(number[0]))})


if __name__ == "__main__":
    main()
