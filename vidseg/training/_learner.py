"""The model in training: its weights, their running mean, the optimizer, and one step of it."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN

from vidseg.errors import DivergedError, VidsegError
from vidseg.models.memory import is_out_of_memory
from vidseg.training._losses import losses_of
from vidseg.training.settings import WARM_UP, Settings
from vidseg.training.training_sample import Target

TRUNK_RATE = 0.3
"""Learning rate of a pretrained trunk, in those of the heads."""
LEAST_RATE = 0.01
"""Where the cosine ends, in shares of the full learning rate."""
WEIGHT_DECAY = 0.01
CLIP = 5.0
"""Longest gradient, as the norm over all parameters."""
DECAY = 0.998
"""Share of the running mean that a step keeps, once it has seen a few hundred."""


class Learner:
    """All that a step changes, and so all that a checkpoint holds."""

    def __init__(
        self, model: MaskRCNN, settings: Settings, device: torch.device, *, frozen_norms: str | None
    ) -> None:
        """Takes `model` over, and moves it to `device`.

        Args:
            frozen_norms: start of the names of the modules that came with weights ("": all of them;
                None: not one). Their batch norms keep their statistics: a few photos are too few
                to do them anew.
        """
        self.settings, self.device, self.step = settings, device, 0
        transform: Any = model.transform
        transform._skip_resize = True  # in training only: the pictures come at their size
        self.model: Any = model.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self._trunk: nn.Module = self.model.backbone.body
        self.optimizer = torch.optim.AdamW(
            self._groups(1.0 if frozen_norms is None else TRUNK_RATE),
            lr=settings.lr,
            weight_decay=WEIGHT_DECAY,
        )
        self._dtype = getattr(torch, settings.precision)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)
        set_training_mode(self.model, frozen_norms=frozen_norms)

    def learn(self, images: list[Tensor], targets: list[Target]) -> dict[str, float]:
        """One step; returns the losses and their sum, ``loss``.

        It draws from torch's random numbers, seeded by the run's seed and the step alone.

        Args:
            images: (3, H, W) uint8.
            targets: boxes (N, 4) float32, labels (N,) int64, masks (N, H, W) uint8.

        Raises:
            DivergedError: the loss is no number; the weights are those before the step.
            VidsegError: the device's memory does not hold the step's work.
        """
        torch.manual_seed(self.settings.seed * 1_000_003 + self.step)
        self._trunk.requires_grad_(self.step >= self.settings.heads_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_lr"] * rate_at(self.step, self.settings.steps)
        try:
            losses = self._backward(images, targets)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise VidsegError(
                f"The memory of {self.device} does not hold {len(images)} pictures of "
                f"{tuple(images[0].shape[1:])} pixels in training; use a smaller --batch-size, "
                "--image-size or --arch."
            ) from error
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self.step += 1
        follow(self.average, self.model, decay_at(self.step))
        return losses

    def state(self) -> dict[str, Any]:
        """Everything, for `restore`, loadable with `weights_only=True`; shares its memory."""
        return {
            "model": self.average.state_dict(),
            "learning": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.average.load_state_dict(state["model"])
        self.model.load_state_dict(state["learning"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        self.step = state["step"]

    def _groups(self, trunk_rate: float) -> list[dict[str, Any]]:
        trunk = {id(parameter) for parameter in self._trunk.parameters()}
        rest = [each for each in self.model.parameters() if id(each) not in trunk]
        return [
            {"params": list(self._trunk.parameters()), "full_lr": trunk_rate * self.settings.lr},
            {"params": rest, "full_lr": self.settings.lr},
        ]

    def _backward(self, images: list[Tensor], targets: list[Target]) -> dict[str, float]:
        pictures = [image.to(self.device, non_blocking=True).float() / 255 for image in images]
        truth = [{name: value.to(self.device) for name, value in t.items()} for t in targets]
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype != torch.float32):
            losses = losses_of(
                self.model, pictures, truth, hard_negatives=self.settings.hard_negatives
            )
        total = torch.stack(list(losses.values())).sum()
        parts = {name: float(loss.detach()) for name, loss in losses.items()}
        facts = {"loss": float(total.detach()), **parts}
        self._check(facts)
        self.optimizer.zero_grad()
        self._scaler.scale(total).backward()
        self._scaler.unscale_(self.optimizer)
        length = nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        if not self._scaler.is_enabled():  # which skips such steps by itself
            self._check({"gradient": float(length)})
        return facts

    def _check(self, facts: dict[str, float]) -> None:
        bad = [name for name, value in facts.items() if not math.isfinite(value)]
        if bad:
            raise DivergedError(
                f"Training diverged at step {self.step + 1}: {bad[-1]} is {facts[bad[-1]]}; "
                f"try a learning rate below {self.settings.lr:g} (--lr)."
            )


def rate_at(step: int, steps: int) -> float:
    """Share of the full learning rate: a linear warm-up, then half a cosine."""
    warm = min(1.0, (step + 1) / max(1, min(WARM_UP, steps // 10)))
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / steps)
    return warm * (LEAST_RATE + (1 - LEAST_RATE) * cosine)


def decay_at(step: int) -> float:
    """Of the running mean: low at first, since it starts from untrained heads."""
    return min(DECAY, (1 + step) / (10 + step))


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Let the running mean take its share of the weights; of counters, the latest value."""
    values = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    for mean, value in values:
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def set_training_mode(model: nn.Module, *, frozen_norms: str | None) -> None:
    """Train, but let batch norm keep its statistics in modules whose names start so."""
    model.train()
    for name, module in model.named_modules():
        frozen = frozen_norms is not None and name.startswith(frozen_norms)
        if frozen and isinstance(module, nn.BatchNorm2d):
            module.eval()
