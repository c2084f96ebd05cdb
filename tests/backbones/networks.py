"""The backbones of torchvision, and EfficientNet-Lite0, with the paper's heads on them."""

import sys
from pathlib import Path

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent.parent / "fixtures"))

import families  # noqa: E402

BY_CHANCE = 2
CLASSES = 10
DEPTH = 4  # sub-layers of a spinal head


# ---- layers whose gradients jump


class Kinks(families.Kinks):
    """Those of the fixtures, and ReLU6 and pooling of any stride and padding.

    Deep networks have so many values near a kink that float32 is on the wrong side of some, and which is luck. With `turned`
    BY_CHANCE each of them is turned or not.
    """

    def margin(self, x):
        """What a value must be above to count as above 0."""
        signs = 1 - 2 * torch.randint(0, 2, x.shape) if self.turned == BY_CHANCE else -self.turned
        return signs * self.reach()

    def relu(self, x):
        at = x.detach()
        self.seen.append((at, at.abs().flatten()))
        return F.relu(at) + (x - at) * (at > self.margin(at))

    def relu6(self, x):
        at = x.detach()
        self.seen.append((at, torch.minimum(at.abs(), (at - 6).abs()).flatten()))
        margin = self.margin(at)
        return F.relu6(at) + (x - at) * ((at > margin) & (at < 6 - margin))

    def max_pool2d(self, x, window, stride, padding):
        padded = F.pad(x, [padding] * 4, value=-torch.inf)
        height, width = ((size - window) // stride + 1 for size in padded.shape[2:])
        windows = F.unfold(padded.flatten(0, 1).unsqueeze(1), window, stride=stride)
        best, second = windows.topk(2, dim=1).values.unbind(1)
        # Values cut by a ReLU are equal, and none of them passes a gradient on.
        gaps = (best - second).detach()
        self.seen.append((x.detach(), gaps[gaps > 0]))
        turned = (gaps > 0) & (gaps < self.reach())
        if self.turned == BY_CHANCE:
            turned &= torch.randint(0, 2, gaps.shape) == 1
        y = torch.where(turned, second, best)
        return y.reshape(*x.shape[:2], height, width)


KINKS = families.KINKS = Kinks()
families.relu = KINKS.relu


class Relu(nn.Module):
    def forward(self, x):
        return KINKS.relu(x)


class Relu6(nn.Module):
    def forward(self, x):
        return KINKS.relu6(x)


class MaxPool(nn.Module):
    def __init__(self, pool):
        super().__init__()
        self.sizes = pool.kernel_size, pool.stride, pool.padding

    def forward(self, x):
        return KINKS.max_pool2d(x, *self.sizes)


def with_kinks(net):
    """The same net, with every ReLU and max pooling replaced by these."""
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, Relu())
            elif isinstance(child, nn.MaxPool2d):
                setattr(module, name, MaxPool(child))
    return net


# ---- EfficientNet-Lite0, from its description, under timm's names


class SameConv(nn.Conv2d):
    """Padded as TensorFlow's `SAME`: y is as large as x divided by the stride, and what is odd goes below and right."""

    def __init__(self, channels, out, size, stride=1, groups=1):
        super().__init__(channels, out, size, stride, groups=groups, bias=False)

    def forward(self, x):
        (stride, _), (size, _) = self.stride, self.kernel_size
        missing = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[2:]]
        (top, left), (height, width) = [n // 2 for n in missing], missing
        return super().forward(F.pad(x, [left, width - left, top, height - top]))


class InvertedResidual(nn.Module):
    """1x1 to more channels where `expansion` is above 1, depthwise, 1x1 to `out`; beside x where that has the size."""

    def __init__(self, channels, expansion, size, stride, out):
        super().__init__()
        wide = channels * expansion
        depthwise = ("conv_dw", SameConv(wide, wide, size, stride, groups=wide))
        if expansion == 1:
            convs = [depthwise, ("conv_pw", SameConv(wide, out, 1))]
        else:
            convs = [("conv_pw", SameConv(channels, wide, 1)), depthwise, ("conv_pwl", SameConv(wide, out, 1))]
        for number, (name, conv) in enumerate(convs, 1):
            self.add_module(name, conv)
            self.add_module(f"bn{number}", nn.BatchNorm2d(conv.out_channels, eps=1e-3))
        self.names = [name for name, _ in convs]
        self.relu = Relu6()
        self.beside_x = stride == 1 and channels == out

    def forward(self, x):
        y = x
        for number, name in enumerate(self.names, 1):
            y = getattr(self, f"bn{number}")(getattr(self, name)(y))
            if number < len(self.names):
                y = self.relu(y)
        return x + y if self.beside_x else y


class EfficientNetLite0(nn.Module):
    # Blocks, expansion, kernel, stride of the first, channels.
    STAGES = [(1, 1, 3, 1, 16), (2, 6, 3, 2, 24), (2, 6, 5, 2, 40), (3, 6, 3, 2, 80)]
    STAGES += [(3, 6, 5, 1, 112), (4, 6, 5, 2, 192), (1, 6, 3, 1, 320)]

    def __init__(self):
        super().__init__()
        self.conv_stem, self.bn1 = SameConv(3, 32, 3, 2), nn.BatchNorm2d(32, eps=1e-3)
        channels, stages = 32, []
        for blocks, expansion, size, stride, out in self.STAGES:
            stage = []
            for index in range(blocks):
                stage.append(InvertedResidual(channels, expansion, size, 1 if index else stride, out))
                channels = out
            stages.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*stages)
        self.conv_head, self.bn2 = SameConv(channels, 1280, 1), nn.BatchNorm2d(1280, eps=1e-3)
        self.relu = Relu6()
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv_stem(x)))
        x = self.relu(self.bn2(self.conv_head(self.blocks(x))))
        return self.classifier(x.mean(dim=(2, 3)))


# ---- heads


def build(backbone, head):
    """A backbone with the head `baseline`, which is one Linear, or `spinal`, in place of its classifier."""
    if backbone == "efficientnet_lite0":
        net, classifier = EfficientNetLite0(), "classifier"
    else:
        net = torchvision.models.get_model(backbone, weights=None)
        classifier = "fc" if hasattr(net, "fc") else "classifier"
    linears = [module for module in getattr(net, classifier).modules() if isinstance(module, nn.Linear)]
    features = linears[0].in_features
    setattr(net, classifier, nn.Identity())
    if head == "spinal":
        net.spinal = families.Spinal(features, CLASSES, DEPTH, CLASSES)
    else:
        net.fc1 = nn.Linear(features, CLASSES)
    net.register_forward_hook(lambda net, _, x: net.spinal(x) if head == "spinal" else net.fc1(x))
    return with_kinks(net)


def weaken_branches(net):
    """Quarters the last normalisation of every block of a ResNet, so that float32 keeps its way through 50 of them."""
    for name, module in net.named_modules():
        if name.startswith("layer") and hasattr(module, "bn2"):
            last = module.bn3 if hasattr(module, "bn3") else module.bn2
            last.weight.data *= 0.25
