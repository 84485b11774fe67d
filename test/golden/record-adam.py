"""Records five steps of PyTorch's Adam and AdamW: `python record-adam.py > adam.json` (float64, CPU)."""
import json

import torch

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)
STEPS, LEARNING_RATE = 5, 0.01
initial = {"matrix": torch.randn(3, 4), "vector": torch.randn(4)}
gradients = [
    {name: torch.randn(p.shape) * 10.0 ** (step - 2) for name, p in initial.items()} for step in range(STEPS)
]


def record(optimizer_class, **options):
    parameters = {name: torch.nn.Parameter(p.clone()) for name, p in initial.items()}
    decay = options.pop("weight_decay", 0.0)
    groups = [  # decay on matrices only
        {"params": [parameters["matrix"]], "weight_decay": decay},
        {"params": [parameters["vector"]], "weight_decay": 0.0},
    ]
    optimizer = optimizer_class(groups, lr=LEARNING_RATE, **options)
    path = []
    for gradient in gradients:
        for name, p in parameters.items():
            p.grad = gradient[name].clone()
        optimizer.step()
        path.append({name: p.detach().flatten().tolist() for name, p in parameters.items()})
    return path


print(
    json.dumps(
        {
            "torch": torch.__version__,
            "learningRate": LEARNING_RATE,
            "shapes": {name: list(p.shape) for name, p in initial.items()},
            "initial": {name: p.flatten().tolist() for name, p in initial.items()},
            "gradients": [{name: g.flatten().tolist() for name, g in step.items()} for step in gradients],
            "adam": record(torch.optim.Adam, betas=(0.9, 0.999), eps=1e-5),
            "adamW": record(torch.optim.AdamW, betas=(0.8, 0.95), eps=1e-8, weight_decay=0.1),
        }
    )
)
