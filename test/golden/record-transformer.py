"""
Records one forward pass of the Degradation Transformer written in PyTorch: `python record-transformer.py > transformer.json`
(float64, CPU). It follows docs, not sources: rotary positions as a product of complex numbers, attention by PyTorch's own
function, and the weights' names are the only thing shared with the TypeScript model.
"""
import json

import torch
import torch.nn.functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
V, D, LAYERS, HEADS, MLP, WINDOW, BASE, TEMPERATURE = 7, 8, 2, 2, 2, 5, 100.0, 0.8
BATCH, CONTEXT, HORIZON = 2, 6, 5


def weights(*shape, scale=0.5):  # float32 values, so that both sides hold the same numbers
    return (torch.randn(*shape) * scale).float().double()


w = {"embedding": weights(V, D), "head.bias": weights(V), "value.weight": weights(D, 1), "value.bias": weights(1)}
for l in range(LAYERS):
    for block, outer, inputs, inner in (("attention", "out", D, "qkv"), ("mlp", "out", MLP * D, "in")):
        at = f"layers.{l}.{block}"
        w[f"{at}.norm.gain"], w[f"{at}.norm.bias"] = 1 + weights(D), weights(D)
        first = 3 * D if block == "attention" else MLP * D
        w[f"{at}.{inner}.weight"], w[f"{at}.{inner}.bias"] = weights(D, first), weights(first)
        w[f"{at}.{outer}.weight"], w[f"{at}.{outer}.bias"] = weights(inputs, D), weights(D)
w["final.norm.gain"], w["final.norm.bias"] = 1 + weights(D), weights(D)
w = {name: value.float().double() for name, value in w.items()}


def norm(x, at):
    return F.layer_norm(x, (D,), w[f"{at}.norm.gain"], w[f"{at}.norm.bias"], 1e-5)


def affine(x, at):
    return x @ w[f"{at}.weight"] + w[f"{at}.bias"]


def rotate(x):  # [B, H, T, d]: the first half holds real parts, the second imaginary parts
    half = x.shape[-1] // 2
    frequency = BASE ** (-torch.arange(half) / half)
    angle = torch.arange(x.shape[2])[:, None] * frequency
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([turned.real, turned.imag], -1)


contexts, actions = torch.randint(V, (BATCH, CONTEXT)), torch.randint(V, (BATCH, HORIZON))
tokens = torch.cat([contexts, actions[:, :-1]], 1)
T = tokens.shape[1]
distance = torch.arange(T)[:, None] - torch.arange(T)[None, :]
visible = (distance >= 0) & (distance < WINDOW)
x = w["embedding"][tokens]
for l in range(LAYERS):
    at = f"layers.{l}"
    q, k, v = (
        part.view(BATCH, T, HEADS, D // HEADS).transpose(1, 2)
        for part in affine(norm(x, f"{at}.attention"), f"{at}.attention.qkv").chunk(3, -1)
    )
    mixed = F.scaled_dot_product_attention(rotate(q), rotate(k), v, attn_mask=visible)
    x = x + affine(mixed.transpose(1, 2).reshape(BATCH, T, D), f"{at}.attention.out")
    inner = affine(norm(x, f"{at}.mlp"), f"{at}.mlp.in")
    x = x + affine(inner * torch.sigmoid(1.702 * inner), f"{at}.mlp.out")
hidden = norm(x, "final")[:, CONTEXT - 1 :]
log_distribution = F.log_softmax((hidden @ w["embedding"].T + w["head.bias"]) / TEMPERATURE, -1)

print(
    json.dumps(
        {
            "torch": torch.__version__,
            "config": {
                "vocabularySize": V, "width": D, "layers": LAYERS, "heads": HEADS, "mlpRatio": MLP,
                "attentionWindow": WINDOW, "rotaryBase": BASE, "temperature": TEMPERATURE,
            },
            "weights": {n: {"shape": list(p.shape), "data": [float(f"{x:.9g}") for x in p.flatten().tolist()]} for n, p in w.items()},
            "contexts": contexts.tolist(),
            "actions": actions.tolist(),
            "logDistribution": log_distribution.tolist(),
            "logProbs": log_distribution.gather(2, actions[..., None])[..., 0].tolist(),
            "values": affine(hidden, "value")[..., 0].tolist(),
        }
    )
)
