"""The model in training: its weights, their moving average, the optimizer, and one step."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from vidseg.errors import DivergedError, VidsegError, is_out_of_memory
from vidseg.models.architectures import Network
from vidseg.training._networks import backbone_of, losses_of
from vidseg.training._ranks import ALONE, Ranks
from vidseg.training.settings import WARMUP_STEPS, Settings
from vidseg.training.training_sample import Target

BACKBONE_LR_FACTOR = 0.3
"""Learning rate of a pretrained backbone relative to that of the heads."""
FINAL_LR_FACTOR = 0.01
"""Learning rate at the end of the cosine, relative to the highest."""
WEIGHT_DECAY = 0.01
MAX_GRADIENT_NORM = 5.0
"""Gradients are clipped to this norm over all parameters."""
MAX_EMA_DECAY = 0.998
"""Decay of the exponential moving average, after a few hundred steps."""


class Learner:
    """Everything that a step changes, and so everything that a checkpoint holds."""

    def __init__(
        self,
        model: Network,
        settings: Settings,
        device: torch.device,
        *,
        frozen_norms: str | None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Takes over `model` and moves it to `device`.

        Args:
            frozen_norms: prefix of the names of the modules with pretrained weights ("": all;
                None: none). Their batch norms keep their statistics: small batches of a few photos
                do not give good ones.
            ranks: the processes that make each step together.
        """
        self.settings, self.device, self.step, self.ranks = settings, device, 0, ranks
        transform: Any = model.transform
        transform._skip_resize = True  # in training only: the sampler has resized the images
        self.model: Any = model.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self._backbone = backbone_of(self.model)
        self.optimizer = torch.optim.AdamW(
            self._groups(1.0 if frozen_norms is None else BACKBONE_LR_FACTOR),
            lr=settings.lr,
            weight_decay=WEIGHT_DECAY,
        )
        self._dtype = getattr(torch, settings.precision)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)
        set_training_mode(self.model, frozen_norms=frozen_norms)

    def learn(self, images: list[Tensor], targets: list[Target]) -> dict[str, float]:
        """One step; returns the losses and their sum, ``loss``.

        Torch's random numbers are seeded by the run's seed, the step and the rank alone.

        Args:
            images: (3, H, W) uint8.
            targets: boxes (N, 4) float32, labels (N,) int64, masks (N, H, W) uint8.

        Raises:
            DivergedError: the loss is not finite; the weights are those before the step.
            VidsegError: the device has too little memory.
        """
        torch.manual_seed(self.settings.seed * 1_000_003 + self.step + (self.ranks.rank << 40))
        self._backbone.requires_grad_(self.step >= self.settings.heads_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_lr"] * lr_factor_at(self.step, self.settings.steps)
        try:
            losses = self._backward(images, targets)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise VidsegError(
                f"{self.device} has too little memory to train on {len(images)} images of "
                f"{tuple(images[0].shape[1:])} pixels; use a smaller `batch_size`, "
                "`image_size` or `arch`."
            ) from error
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self.step += 1
        self.ranks.average_statistics(self.model)
        update_average(self.average, self.model, ema_decay_at(self.step))
        return losses

    def state(self) -> dict[str, Any]:
        """The state for `restore`, loadable with `weights_only=True`; shares memory."""
        return {
            "model": self.average.state_dict(),
            "learning": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a result of `state`."""
        self.average.load_state_dict(state["model"])
        self.model.load_state_dict(state["learning"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        self.step = state["step"]

    def _groups(self, backbone_factor: float) -> list[dict[str, Any]]:
        backbone = {id(parameter) for parameter in self._backbone.parameters()}
        rest = [each for each in self.model.parameters() if id(each) not in backbone]
        return [
            {
                "params": list(self._backbone.parameters()),
                "full_lr": backbone_factor * self.settings.lr,
            },
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
        facts = self.ranks.mean({"loss": float(total.detach()), **parts})
        self._check(facts)
        self.optimizer.zero_grad()
        self._scaler.scale(total).backward()
        self.ranks.average_gradients(self.model.parameters())
        self._scaler.unscale_(self.optimizer)
        length = nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        if not self._scaler.is_enabled():  # the scaler skips such steps itself
            self._check({"gradient": float(length)})
        return facts

    def _check(self, facts: dict[str, float]) -> None:
        bad = [name for name, value in facts.items() if not math.isfinite(value)]
        if bad:
            raise DivergedError(
                f"Training diverged at step {self.step + 1}: {bad[-1]} is {facts[bad[-1]]}; "
                f"try a learning rate below {self.settings.lr:g} (`lr`)."
            )


def lr_factor_at(step: int, steps: int) -> float:
    """Learning rate relative to the highest: a linear warm-up, then half a cosine."""
    warm = min(1.0, (step + 1) / max(1, min(WARMUP_STEPS, steps // 10)))
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / steps)
    return warm * (FINAL_LR_FACTOR + (1 - FINAL_LR_FACTOR) * cosine)


def ema_decay_at(step: int) -> float:
    """Decay of the moving average: low at first, since it starts from untrained heads."""
    return min(MAX_EMA_DECAY, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Update the moving average of the weights; counters take the latest value."""
    values = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    for mean, value in values:
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def set_training_mode(model: nn.Module, *, frozen_norms: str | None) -> None:
    """Training mode, except that batch norms whose names have this prefix keep their statistics."""
    model.train()
    for name, module in model.named_modules():
        frozen = frozen_norms is not None and name.startswith(frozen_norms)
        if frozen and isinstance(module, nn.BatchNorm2d):
            module.eval()
