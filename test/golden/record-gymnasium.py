"""
Records transitions of the real Gymnasium: `python record-gymnasium.py FOLDER` writes one JSON file an environment
and one for the wrappers. States and rewards are float64 as Gymnasium holds them, observations and box actions float32.

The actors are chosen for their ends: some episodes fall or reach the goal, some run into the time limit, and box actions
leave the box now and then, which Gymnasium clips.
"""
import json
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
from gymnasium.wrappers.utils import RunningMeanStd
from gymnasium.wrappers.vector import NormalizeReward

TRANSITIONS = 1000
VERSIONS = {"gymnasium": gym.__version__, "numpy": np.__version__}
rng = np.random.default_rng(20)


def random_discrete(n):
    return lambda state: int(rng.integers(n))


def random_box(high):
    return lambda state: np.array([rng.uniform(-high, high)], dtype=np.float32)


def balance(state):  # holds CartPole up until the time limit
    return int(state[2] + 0.5 * state[3] + 0.05 * state[1] + 0.02 * state[0] > 0)


def pump(state):  # swings MountainCar up
    return 2 if state[1] >= 0 else 0


def pump_hard(state):  # the same with a force that has to be clipped every other step
    return np.array([(1 if state[1] >= 0 else -1) * rng.uniform(0.6, 1.4)], dtype=np.float32)


def swing(state):  # pumps energy into the Acrobot
    return 2 if state[3] >= 0 else 0


def exact(values):
    """All digits of a state, which is float32 in some environments and float64 in others."""
    return [float(v) for v in values]


def shortest(values):
    """The shortest decimals that read back as the same float32."""
    return [float(str(np.float32(v))) for v in values]


def record(name, actors):
    """Episodes by the actors in turn, until there are enough transitions and each actor has acted."""
    env = gym.make(name, disable_env_checker=True)
    episodes, total = [], 0
    while total < TRANSITIONS or len(episodes) < len(actors):
        seed = len(episodes)
        actor = actors[seed % len(actors)]
        observation, _ = env.reset(seed=seed)
        episode = {
            "seed": seed,
            "states": [exact(env.unwrapped.state)],
            "observations": [shortest(observation)],
            "actions": [],
            "rewards": [],
            "terminated": [],
            "truncated": [],
        }
        done = False
        while not done and (total < TRANSITIONS or len(episodes) < len(actors)):
            action = actor(env.unwrapped.state)
            observation, reward, terminated, truncated, _ = env.step(action)
            done = terminated or truncated
            episode["states"].append(exact(env.unwrapped.state))
            episode["observations"].append(shortest(observation))
            episode["actions"].append(action if isinstance(action, int) else shortest(action)[0])
            episode["rewards"].append(float(reward))
            episode["terminated"].append(int(terminated))
            episode["truncated"].append(int(truncated))
            total += 1
        episodes.append(episode)
    return {**VERSIONS, "id": name, "timeLimit": env.spec.max_episode_steps, "episodes": episodes}


def record_wrappers():
    """Moments of batches, and rewards of three CartPoles as normalised by Gymnasium's vector wrapper."""
    moments = RunningMeanStd(shape=(2,))
    batches, path = [], []
    for size in (3, 1, 4, 4):
        batch = rng.normal([1.0, -20.0], [0.1, 5.0], size=(size, 2))
        moments.update(batch)
        batches.append(batch.tolist())
        path.append({"mean": moments.mean.tolist(), "variance": moments.var.tolist(), "count": moments.count})
    drawn = []

    def reward_of(_):
        drawn.append(rng.normal(2.0, 3.0))
        return drawn[-1]

    vector = gym.vector.SyncVectorEnv(
        [
            lambda limit=limit: gym.wrappers.TransformReward(gym.make("CartPole-v1", max_episode_steps=limit), reward_of)
            for limit in (15, 500, 500)
        ],
        autoreset_mode=gym.vector.AutoresetMode.SAME_STEP,
    )
    wrapped = NormalizeReward(vector, gamma=0.9)
    wrapped.reset(seed=3)
    steps = []
    for _ in range(100):
        drawn.clear()
        _, normalised, terminated, truncated, _ = wrapped.step(rng.integers(2, size=3))
        steps.append(
            {
                "rewards": list(drawn),
                "terminated": terminated.astype(int).tolist(),
                "truncated": truncated.astype(int).tolist(),
                "normalised": normalised.tolist(),
            }
        )
    return {**VERSIONS, "moments": {"batches": batches, "path": path}, "rewards": {"gamma": 0.9, "steps": steps}}


folder = Path(sys.argv[1])
recordings = {
    "cart-pole-v1": record("CartPole-v1", [random_discrete(2), balance, random_discrete(2)]),
    "acrobot-v1": record("Acrobot-v1", [random_discrete(3), swing, swing, swing]),
    "mountain-car-v0": record("MountainCar-v0", [random_discrete(3), pump]),
    "mountain-car-continuous-v0": record("MountainCarContinuous-v0", [pump_hard, random_box(1.5), pump_hard]),
    "pendulum-v1": record("Pendulum-v1", [random_box(3.0), lambda state: np.array([2.5 if state[1] > 0 else -2.5], np.float32)]),
    "wrappers": record_wrappers(),
}
for name, recording in recordings.items():
    (folder / f"{name}.json").write_text(json.dumps(recording, separators=(",", ":")) + "\n")
