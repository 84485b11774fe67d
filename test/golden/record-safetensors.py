"""Records safetensors.hex with the real package: pip install safetensors==0.8.0 numpy==2.4.6"""

import numpy as np
import safetensors
from safetensors.numpy import save

arrays = {
    "layers.0.weight": np.array([[1, -2.5, 3], [0.1, 1e-20, -0.0]], dtype=np.float32),
    "bias": np.array([0.25, 7], dtype=np.float32),
    "scalar": np.array(3.5, dtype=np.float32),
    "empty": np.zeros((0, 4), dtype=np.float32),
}
with open("safetensors.hex", "w") as out:
    out.write(save(arrays, metadata={"format": "rollcast", "note": "grün"}).hex() + "\n")
print("safetensors", safetensors.__version__)
