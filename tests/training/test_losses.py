import math

import pytest
import torch
from torch.nn import functional

from q2_aam.data.tokens import MASK, START, UNKNOWN, tokenize
from q2_aam.model.encoders import scaled_log
from q2_aam.model.heads.attention import ordered_quantiles
from q2_aam.training.losses import (
    abundance_loss,
    hide_nucleotides,
    nucleotide_loss,
    unifrac_loss,
)


def test_the_unifrac_loss_is_over_pairs_and_ignores_diagonal_and_lower_half():
    truth = torch.tensor([[0.0, 0.0, 0.4], [0.0, 0.0, 0.6], [0.4, 0.6, 0.0]])  # 0 counts alike
    guess = truth + torch.tensor([[9.0, 0.1, 0.2], [7.0, 9.0, 0.3], [7.0, 7.0, 9.0]])
    wanted = (0.1**2 + 0.2**2 + 0.3**2) / 3
    assert float(unifrac_loss(guess, truth)) == pytest.approx(wanted, rel=1e-5)
    truth.fill_diagonal_(math.nan)
    assert unifrac_loss(guess, truth).isfinite()
    alone = torch.rand(1, 1, requires_grad=True)
    loss = unifrac_loss(alone, torch.rand(1, 1))
    loss.backward()
    assert float(loss) == float(alone.grad) == 0


@pytest.mark.parametrize("share_drawn", [0.0, 0.1499, 0.15, 0.9999])
def test_fifteen_in_a_hundred_of_known_nucleotides_are_hidden(share_drawn):
    tokens = torch.from_numpy(tokenize(["ACGTNACG", "NN", "A", "ACGTACGTACGT"])[0])
    masked, hidden = hide_nucleotides(tokens, torch.full(tokens.shape, share_drawn))
    known = (tokens >= 1) & (tokens <= 4)
    assert torch.equal(hidden, known & (share_drawn < 0.15))
    assert (masked[hidden] == MASK).all()
    assert torch.equal(masked[~hidden], tokens[~hidden])
    assert (masked[:, 0] == START).all()
    for kept in (0, START, UNKNOWN):
        assert torch.equal(masked == kept, tokens == kept)


def test_the_nucleotide_loss_is_the_mean_over_what_is_hidden():
    torch.manual_seed(0)
    tokens = torch.from_numpy(tokenize(["ACGTN", "TTG"])[0])
    logits = torch.randn(2, 5, 4)
    hidden = torch.zeros(2, 6, dtype=torch.bool)
    hidden[0, 2] = hidden[1, 1] = True  # C and T
    wanted = (
        functional.cross_entropy(logits[0, 1:2], torch.tensor([1]))
        + functional.cross_entropy(logits[1, 0:1], torch.tensor([3]))
    ) / 2
    assert float(nucleotide_loss(logits, tokens, hidden)) == pytest.approx(float(wanted), rel=1e-5)
    changed = logits.clone()
    changed[~hidden[:, 1:]] = 50.0
    assert nucleotide_loss(changed, tokens, hidden) == nucleotide_loss(logits, tokens, hidden)


def test_the_abundance_loss_is_over_hidden_abundances_only():
    abundances = torch.tensor([[0.5, 0.25, 0.25, 0.0]])
    hidden = torch.tensor([[True, False, True, False]])
    guess = torch.tensor([[0.3, 99.0, 0.1, 99.0]])
    errors = (guess - scaled_log(abundances))[hidden]
    found = abundance_loss(guess, abundances, hidden)
    assert float(found) == pytest.approx(float(errors.square().mean()), rel=1e-5)
    assert float(abundance_loss(guess, abundances, torch.zeros_like(hidden))) == 0


def test_scaled_log_abundances_of_empty_slots_are_zero():
    found = scaled_log(torch.tensor([0.0, 1.0, math.exp(-6), 1e-30]))
    assert found.isfinite().all()
    assert found[0] == 0
    assert found[1] == pytest.approx(2)
    assert found[2] == pytest.approx(0, abs=1e-6)


def test_learned_quantiles_cannot_cross():
    raw = torch.randn(200, 3) * 10
    lower, median, upper = ordered_quantiles(raw).unbind(dim=1)
    assert (lower <= median).all()
    assert (median <= upper).all()
    assert (median == raw[:, 1]).all()
