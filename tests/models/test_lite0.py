"""EfficientNet-lite0 in training: scale and shift of held norms go into the convolutions."""

import torch
from torch import Tensor

from mammoscope.models.lite0 import Lite0, hold_batch_norm


def network() -> Lite0:
    """Make a network whose norms have statistics that matter."""
    torch.manual_seed(5)
    made = Lite0()
    with torch.no_grad():
        for name, buffer in made.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.1)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
    return made


def answer(made: Lite0) -> Tensor:
    """Sum up the three levels of one small scan."""
    x = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(6))
    return torch.stack([(level**2).mean() for level in made(x)]).sum()


def test_training_with_held_norms_gives_the_gradients_of_the_plain_road() -> None:
    made = network()
    # The same network in evaluation takes convolution and norm one after the other.
    plain = torch.autograd.grad(answer(made.eval()), list(made.parameters()))
    made.train()
    hold_batch_norm(made)
    held = torch.autograd.grad(answer(made), list(made.parameters()))
    for mine, theirs in zip(held, plain, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-6)


def test_training_with_held_norms_leaves_their_statistics_alone() -> None:
    made = network()
    made.train()
    hold_batch_norm(made)
    before = {name: buffer.clone() for name, buffer in made.named_buffers()}
    answer(made)
    assert all(torch.equal(buffer, before[name]) for name, buffer in made.named_buffers())


def test_norms_that_are_not_held_learn_their_statistics() -> None:
    made = network().train()
    before = made.bn_stem.running_mean
    assert before is not None
    before = before.clone()
    answer(made)
    assert made.bn_stem.running_mean is not None
    assert not torch.equal(made.bn_stem.running_mean, before)
