"""Records tfevents.hex with the real package: pip install tensorboard==2.21.0"""

import glob
import os
import tempfile

import tensorboard
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

events = [
    Event(wall_time=1700000000.25, file_version="brain.Event:2"),
    Event(wall_time=1700000001.5, step=1, summary=Summary(value=[Summary.Value(tag="reward/mse", simple_value=-0.125)])),
    Event(wall_time=1700000002.75, step=300, summary=Summary(value=[Summary.Value(tag="kl/exactPerToken", simple_value=0.03)])),
    Event(wall_time=1700000003.0, step=5000000000, summary=Summary(value=[Summary.Value(tag="größe", simple_value=0.0)])),
]
path = os.path.join(tempfile.mkdtemp(), "recorded")
with open(path, "wb") as out:
    writer = RecordWriter(out)
    for event in events:
        writer.write(event.SerializeToString())
    writer.flush()
with open(path, "rb") as recorded, open("tfevents.hex", "w") as out:
    out.write(recorded.read().hex() + "\n")
print("tensorboard", tensorboard.__version__)
