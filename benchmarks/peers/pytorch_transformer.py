"""The Degradation Transformer in eager PyTorch, as a peer for `npm run bench:engine`.

Reads one task a line from standard input and answers with the milliseconds that it took, so that the benchmark can
alternate between engines: `train-step`, `rollout`, `score`, `ppo-iteration`. Configuration comes as JSON in the first
argument: width, layers, heads, vocabularySize, batchSize, contextLength, horizon, threads, device.

Same model, same shapes, same work as ours: pre-LayerNorm, rotary positions, causal attention, GELU in its sigmoid form, tied
head, value head; sampling by torch.multinomial with log-probabilities kept; AdamW; gradients clipped by their global norm.
"""

import json
import resource
import sys
import time

import torch
import torch.nn.functional as F

config = json.loads(sys.argv[1])
D, LAYERS, HEADS = config["width"], config["layers"], config["heads"]
V, B, W, L = config["vocabularySize"], config["batchSize"], config["contextLength"], config["horizon"]
HEAD = D // HEADS
torch.set_num_threads(config["threads"])
DEVICE = config["device"]  # named at each tensor: a default device costs every call
torch.manual_seed(1)
FUTURE = torch.full((W + L, W + L), float("-inf"), device=DEVICE).triu(1)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = torch.nn.LayerNorm(D)
        self.qkv = torch.nn.Linear(D, 3 * D)
        self.out = torch.nn.Linear(D, D)
        self.norm2 = torch.nn.LayerNorm(D)
        self.inner = torch.nn.Linear(D, 4 * D)
        self.outer = torch.nn.Linear(4 * D, D)

    def forward(self, x, cos, sin, cache=None):
        b, t, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, HEADS, HEAD).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            keys, values, filled = cache
            keys[:, :, filled : filled + t] = k
            values[:, :, filled : filled + t] = v
            k, v = keys[:, :, : filled + t], values[:, :, : filled + t]
        mixed = attend(q, k, v)
        x = x + self.out(mixed.transpose(1, 2).reshape(b, t, D))
        h = self.inner(self.norm2(x))
        return x + self.outer(h * torch.sigmoid(1.702 * h))


def attend(q, k, v):
    t = q.shape[2]
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=t > 1)
    scores = (q * HEAD**-0.5) @ k.transpose(-2, -1)  # PyTorch before 2.0 has no fused attention
    if t > 1:
        scores = scores + FUTURE[:t, :t]
    return scores.softmax(-1) @ v


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Transformer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(V, D)
        self.blocks = torch.nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = torch.nn.LayerNorm(D)
        self.bias = torch.nn.Parameter(torch.zeros(V))
        self.value = torch.nn.Linear(D, 1)
        angles = torch.arange(W + L).float()[:, None] * 10000.0 ** (-torch.arange(HEAD // 2).float() / (HEAD // 2))
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, tokens, position=0, caches=None, last=None):
        x = self.embedding(tokens)
        t = tokens.shape[1]
        cos, sin = self.cos[position : position + t], self.sin[position : position + t]
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin, None if caches is None else (*caches[i], position))
        h = self.norm(x if last is None else x[:, -last:])
        return F.log_softmax(h @ self.embedding.weight.T + self.bias, dim=-1), self.value(h).squeeze(-1)


model = Transformer().to(DEVICE)
reference = Transformer().to(DEVICE)
reference.load_state_dict(model.state_dict())
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, eps=1e-5)
contexts = torch.randint(V, (B, W), device=DEVICE)
futures = torch.randint(V, (B, L), device=DEVICE)


def score(net, actions):
    log_distribution, values = net(torch.cat((contexts, actions[:, :-1]), dim=1), last=L)
    return log_distribution, log_distribution.gather(-1, actions[..., None]).squeeze(-1), values


def step(loss):
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()


def train_step():
    _, log_probs, _ = score(model, futures)
    step(-log_probs.mean())


@torch.no_grad()
def rollout():
    caches = [[torch.empty(B, HEADS, W + L, HEAD, device=DEVICE) for _ in range(2)] for _ in range(LAYERS)]
    tokens, position = contexts, 0
    actions, log_probs, values = [], [], []
    for _ in range(L):
        log_distribution, value = model(tokens, position, caches, last=1)
        position += tokens.shape[1]
        tokens = torch.multinomial(log_distribution[:, 0].exp(), 1)
        actions.append(tokens)
        log_probs.append(log_distribution[:, 0].gather(-1, tokens))
        values.append(value)
    return torch.cat(actions, 1), torch.cat(log_probs, 1), torch.cat(values, 1)


@torch.no_grad()
def score_only():
    score(model, futures)


def ppo_iteration():
    actions, old_log_probs, old_values = rollout()
    with torch.no_grad():
        reference_distribution, _, _ = score(reference, actions)
    returns = torch.randn(B, L, device=DEVICE)
    advantages = returns - old_values
    for _ in range(4):
        log_distribution, log_probs, values = score(model, actions)
        ratio = (log_probs - old_log_probs).exp()
        policy_loss = -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()
        value_loss = 0.5 * (values - returns).square().mean()
        kl = (log_distribution.exp() * (log_distribution - reference_distribution)).sum(-1).mean()
        step(policy_loss + 0.5 * value_loss + 0.3 * kl)


TASKS = {"train-step": train_step, "rollout": rollout, "score": score_only, "ppo-iteration": ppo_iteration}

print(json.dumps({"ready": True, "version": torch.__version__}), flush=True)
for line in sys.stdin:
    task = line.strip()
    if task == "memory":
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)  # MiB
        continue
    start = time.perf_counter()
    TASKS[task]()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    print((time.perf_counter() - start) * 1000, flush=True)
