"""Batch norm over a batch that lies in several processes.

PyTorch has one for graphics processors alone; on processors this one does. Sums go to every process
on the way forward and their gradients on the way back, so mean, variance and gradients are those of
the whole batch, however unevenly it is divided.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


class _SumOverAll(torch.autograd.Function):
    """Sum over the processes; what follows in every one of them sends its gradient back."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class SyncedNorm(_BatchNorm):
    """Batch norm with the statistics of all processes' shares; weights keep their names."""

    @classmethod
    def of(cls, norm: _BatchNorm) -> "SyncedNorm":
        """Take over a norm: the same weights and running statistics, not copies."""
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine)
        made.weight, made.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            made.register_buffer(name, getattr(norm, name))
        made.track_running_stats = norm.track_running_stats
        made.train(norm.training)
        return made

    def forward(self, values: Tensor) -> Tensor:
        """Normalise (batch, channels, ...); statistics are of single precision or better."""
        if not self.training and self.running_mean is not None:
            return functional.batch_norm(
                values, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        axes = [0, *range(2, values.ndim)]
        shape = [1, -1, *[1] * (values.ndim - 2)]
        exact = values.float()
        own = torch.full((1,), float(exact.numel() // exact.shape[1]), device=exact.device)
        sums = _all_sum(torch.cat([exact.sum(axes), own]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = exact - mean.view(shape)
        variance = _all_sum(centred.square().sum(axes)) / count
        self._follow(mean.detach(), variance.detach(), count)
        answer = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            answer = answer * self.weight.view(shape) + self.bias.view(shape)
        return answer.to(values.dtype)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 the name that PyTorch gives it
        """Take any number of axes."""

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Let the running statistics follow, the variance without bias, as PyTorch does."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        part = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, part)
        self.running_var.lerp_(variance * (count / (count - 1).clamp(min=1)), part)


def sync_norms(network: nn.Module) -> nn.Module:
    """Let every batch norm of a network see the whole batch; its weights keep names and places."""
    if any(parameter.is_cuda for parameter in network.parameters()):
        convert = nn.SyncBatchNorm.convert_sync_batchnorm
        synced: nn.Module = convert(network)  # type: ignore[no-untyped-call]
        return synced
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm):
                setattr(parent, name, SyncedNorm.of(child))
    return network


def _all_sum(values: Tensor) -> Tensor:
    total: Tensor = _SumOverAll.apply(values)  # type: ignore[no-untyped-call]
    return total
