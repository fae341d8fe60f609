"""What TensorBoard's own writer puts into an event file, and what it reads back from it.

    python -m venv venv && venv/bin/pip install tensorboard==2.21.0 'setuptools<81'
    venv/bin/python test/golden/make_tensorboard_golden.py > test/golden/tensorboard.json
"""

import json
import struct
import tempfile
from pathlib import Path

import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

POINTS = [
    ({"wallTimeSeconds": 1_700_000_000.125, "fileVersion": "brain.Event:2"}),
    ({"wallTimeSeconds": 1_700_000_000.125, "step": 1, "scalars": {"batch_loss": 0.5, "batch_accuracy": 0.25}}),
    ({"wallTimeSeconds": 1_700_000_001.5, "step": 300, "scalars": {"batch_loss": 0.3125}}),
    ({"wallTimeSeconds": 1_700_000_002.0, "restartStep": 201}),
    ({"wallTimeSeconds": 1_700_000_003.0, "step": 2**40, "scalars": {"batch_loss": 1e-30}}),
]


def to_event(point):
    event = event_pb2.Event(wall_time=point["wallTimeSeconds"])
    if "fileVersion" in point:
        event.file_version = point["fileVersion"]
    elif "restartStep" in point:
        event.step = point["restartStep"]
        event.session_log.status = event_pb2.SessionLog.START
    else:
        event.step = point["step"]
        values = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in point["scalars"].items()]
        event.summary.CopyFrom(summary_pb2.Summary(value=values))
    return event


with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "events.out.tfevents.0000000000.millrace"
    with file.open("wb") as stream:
        writer = RecordWriter(stream)
        for point in POINTS:
            writer.write(to_event(point).SerializeToString())
    content = file.read_bytes()
    read = EventAccumulator(folder)
    read.Reload()
    scalars = {
        tag: [[scalar.wall_time, scalar.step, scalar.value] for scalar in read.Scalars(tag)]
        for tag in read.Tags()["scalars"]
    }

# The steps after the restart replace those from 201 on.
assert [step for _, step, _ in scalars["batch_loss"]] == [1, 2**40], scalars
assert struct.unpack("<Q", content[:8])[0] > 0
print(json.dumps({"tensorboard": tensorboard.__version__, "events": POINTS, "file": content.hex()}, indent=1))
