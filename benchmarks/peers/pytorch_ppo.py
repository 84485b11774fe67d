"""PPO on CartPole-v1 in eager PyTorch with Gymnasium, as a peer for `npm run bench:rl`: the settings of CleanRL's ppo.py.

Prints one JSON line: environment steps a second with updates included, and the mean return of the last 100 episodes.
Arguments: steps, seed, threads.
"""

import json
import sys
import time

import gymnasium
import numpy as np
import torch

steps_in_all, seed, threads = (int(argument) for argument in sys.argv[1:4])
ENVS, STEPS, EPOCHS, MINIBATCHES = 4, 128, 4, 4
GAMMA, LAMBDA, CLIP, ENTROPY, VALUE, MAX_NORM, RATE = 0.99, 0.95, 0.2, 0.01, 0.5, 0.5, 2.5e-4
torch.set_num_threads(threads)
torch.manual_seed(seed)


def layer(inputs, outputs, gain):
    linear = torch.nn.Linear(inputs, outputs)
    torch.nn.init.orthogonal_(linear.weight, gain)
    torch.nn.init.zeros_(linear.bias)
    return linear


def network(outputs, gain):
    root = 2**0.5
    return torch.nn.Sequential(
        layer(4, 64, root), torch.nn.Tanh(), layer(64, 64, root), torch.nn.Tanh(), layer(64, outputs, gain)
    )


actor, critic = network(2, 0.01), network(1, 1.0)
parameters = [*actor.parameters(), *critic.parameters()]
optimizer = torch.optim.Adam(parameters, lr=RATE, eps=1e-5)
envs = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("CartPole-v1") for _ in range(ENVS)])
returns, running = [], np.zeros(ENVS)
observation, _ = envs.reset(seed=seed)
observation, done = torch.tensor(observation), torch.zeros(ENVS)
batch = ENVS * STEPS
updates = steps_in_all // batch
start = time.perf_counter()

for update in range(updates):
    optimizer.param_groups[0]["lr"] = RATE * (1 - update / updates)
    observations = torch.zeros(STEPS, ENVS, 4)
    actions, log_probs, rewards, dones, values = (torch.zeros(STEPS, ENVS) for _ in range(5))
    for t in range(STEPS):
        observations[t], dones[t] = observation, done
        with torch.no_grad():
            policy = torch.distributions.Categorical(logits=actor(observation))
            action = policy.sample()
            actions[t], log_probs[t] = action, policy.log_prob(action)
            values[t] = critic(observation).squeeze(-1)
        following, reward, terminated, truncated, _ = envs.step(action.numpy())
        running += reward
        ended = np.logical_or(terminated, truncated)
        for i in np.flatnonzero(ended):
            returns.append(running[i])
            running[i] = 0
        rewards[t] = torch.tensor(reward)
        observation, done = torch.tensor(following), torch.tensor(ended, dtype=torch.float32)
    with torch.no_grad():
        advantages, last, following_value = torch.zeros(STEPS, ENVS), 0, critic(observation).squeeze(-1)
        for t in reversed(range(STEPS)):
            alive = 1 - (done if t == STEPS - 1 else dones[t + 1])
            next_value = following_value if t == STEPS - 1 else values[t + 1]
            delta = rewards[t] + GAMMA * next_value * alive - values[t]
            advantages[t] = last = delta + GAMMA * LAMBDA * alive * last
        targets = advantages + values
    flat = [x.reshape(batch, *x.shape[2:]) for x in (observations, actions, log_probs, advantages, targets, values)]
    for _ in range(EPOCHS):
        for rows in torch.randperm(batch).split(batch // MINIBATCHES):
            obs, acts, old_log_probs, advs, target, old_values = (x[rows] for x in flat)
            policy = torch.distributions.Categorical(logits=actor(obs))
            ratio = (policy.log_prob(acts) - old_log_probs).exp()
            advs = (advs - advs.mean()) / (advs.std() + 1e-8)
            policy_loss = torch.max(-advs * ratio, -advs * ratio.clamp(1 - CLIP, 1 + CLIP)).mean()
            value = critic(obs).squeeze(-1)
            clipped = old_values + (value - old_values).clamp(-CLIP, CLIP)
            value_loss = 0.5 * torch.max((value - target) ** 2, (clipped - target) ** 2).mean()
            loss = policy_loss - ENTROPY * policy.entropy().mean() + VALUE * value_loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM)
            optimizer.step()

seconds = time.perf_counter() - start
print(json.dumps({"stepsPerSecond": updates * batch / seconds, "finalReturn": float(np.mean(returns[-100:]))}))
