"""Records point estimates and intervals of rliable: `pip install rliable "pandas<3"`, `python record-statistics.py > statistics.json`."""
import importlib.metadata as metadata
import json

import numpy as np
import scipy
from rliable import library, metrics

THRESHOLDS = [0.0, 0.25, 0.5, 0.75, 1.0]
generator = np.random.default_rng(20)


def case(runs, tasks, digits=None):
    """Two algorithms; `digits` rounds the scores, so that there are ties."""
    scores = [generator.normal(loc, 0.3, (runs + extra, tasks)) for loc, extra in ((0.6, 0), (0.45, 2))]
    return [s if digits is None else np.round(s, digits) for s in scores]


def aggregates(scores):
    return np.array(
        [
            metrics.aggregate_median(scores),
            metrics.aggregate_iqm(scores),
            metrics.aggregate_mean(scores),
            metrics.aggregate_optimality_gap(scores),
        ]
    )


def record(x, y):
    np.random.seed(20)  # rliable's bootstrap draws from NumPy's global generator, whatever random_state says
    points, intervals = library.get_interval_estimates({"x": x}, aggregates, reps=50_000)
    profile, profile_intervals = library.create_performance_profile({"x": x}, np.array(THRESHOLDS), reps=2_000)
    improvement, improvement_intervals = library.get_interval_estimates(
        {"xy": [x, y]}, lambda a, b: np.array([metrics.probability_of_improvement(a, b)]), reps=2_000
    )
    interval = lambda point, bounds: [
        {"estimate": float(p), "low": float(low), "high": float(high)} for p, low, high in zip(point, *bounds)
    ]
    names = ["median", "interquartileMean", "mean", "optimalityGap"]
    return {
        "x": x.T.tolist(),
        "y": y.T.tolist(),
        "aggregates": dict(zip(names, interval(points["x"], intervals["x"]))),
        "optimalityGapOfHalf": float(metrics.aggregate_optimality_gap(x, gamma=0.5)),
        "profile": interval(profile["x"], profile_intervals["x"]),
        "improvement": interval(improvement["xy"], improvement_intervals["xy"])[0],
        "improvementOfY": float(metrics.probability_of_improvement(y, x)),
    }


print(
    json.dumps(
        {
            "versions": {
                "rliable": metadata.version("rliable"),
                "arch": metadata.version("arch"),
                "numpy": np.__version__,
                "scipy": scipy.__version__,
            },
            "thresholds": THRESHOLDS,
            "cases": {
                "10 runs, 5 tasks": record(*case(10, 5)),
                "7 runs, 3 tasks, ties": record(*case(7, 3, 1)),
                "5 runs, 1 task": record(*case(5, 1)),
            },
        }
    )
)
