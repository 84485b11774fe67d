"""Records what Stable-Baselines3 says of state-dependent exploration: `python record-gsde.py > gsde.json` (float64, CPU)."""
import json

import stable_baselines3
import torch
from stable_baselines3.common.distributions import StateDependentNoiseDistribution

torch.manual_seed(21)
torch.set_default_dtype(torch.float64)
ROWS, FEATURES, ACTIONS = 4, 5, 2
mean = torch.randn(ROWS, ACTIONS) * 0.3
features = torch.tanh(torch.randn(ROWS, FEATURES))
actions = torch.tanh(torch.randn(ROWS, ACTIONS) * 0.7)  # within ±1, so that they may have been squashed


def record(full_std, squash):
    distribution = StateDependentNoiseDistribution(ACTIONS, full_std=full_std, squash_output=squash)
    distribution.latent_sde_dim = FEATURES
    log_std = (torch.randn(FEATURES, ACTIONS if full_std else 1) * 0.4 - 1).requires_grad_()
    mu, phi = mean.clone().requires_grad_(), features.clone().requires_grad_()
    distribution.sample_weights(log_std, batch_size=ROWS)
    distribution.proba_distribution(mu, log_std, phi)
    log_probs = distribution.log_prob(actions)
    weights = torch.arange(1.0, ROWS + 1)
    (log_probs * weights).sum().backward()
    matrices = distribution.exploration_matrices
    return {
        "fullStd": full_std,
        "squash": squash,
        "logStd": log_std.tolist(),
        "draws": (matrices / distribution.get_std(log_std)).reshape(ROWS, -1).tolist(),
        "sample": distribution.sample().tolist(),
        "mode": distribution.mode().tolist(),
        "logProbs": log_probs.tolist(),
        "entropy": None if squash else distribution.entropy().tolist(),
        # of the sum of (row + 1) × log-probability
        "gradients": {
            "mean": mu.grad.tolist(),
            "logStd": log_std.grad.tolist(),
            "features": torch.zeros_like(phi).tolist() if phi.grad is None else phi.grad.tolist(),
        },
    }


print(
    json.dumps(
        {
            "stableBaselines3": stable_baselines3.__version__,
            "torch": torch.__version__,
            "mean": mean.tolist(),
            "features": features.tolist(),
            "actions": actions.tolist(),
            "cases": [record(full_std, squash) for full_std in (True, False) for squash in (False, True)],
        }
    )
)
