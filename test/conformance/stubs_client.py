"""Trains and predicts with stubs that were generated from proto/, as a Python program would.

Arguments: host:port of training, host:port of inference, file of raw pixels of images.
"""

import sys

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from millrace.v1 import (
    network_pb2,
    pipeline_pb2,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
    training_service_pb2,
    training_service_pb2_grpc,
    training_spec_pb2,
)
from report import Report

training_address, inference_address, pixels_file = sys.argv[1:]
training = training_service_pb2_grpc.TrainingServiceStub(grpc.insecure_channel(training_address))
prediction = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(inference_address))
report = Report()
states = training_service_pb2.TrainingJob.State
end_states = (states.STATE_SUCCEEDED, states.STATE_FAILED, states.STATE_CANCELLED)


def spec():
    layers = [
        network_pb2.LayerSpec(units=16, activation=network_pb2.ACTIVATION_RELU),
        network_pb2.LayerSpec(units=10, activation=network_pb2.ACTIVATION_SOFTMAX),
    ]
    scale = pipeline_pb2.Step(scale=pipeline_pb2.ScaleStep(minimum=0, maximum=255))
    return training_spec_pb2.TrainingSpec(
        dataset="datasets/mnist",
        pipeline=pipeline_pb2.PipelineSpec(
            columns=[pipeline_pb2.ColumnSpec(column="image", steps=[scale])],
            label=pipeline_pb2.LabelSpec(column="label", kind=pipeline_pb2.LabelSpec.KIND_CLASSES),
        ),
        split=pipeline_pb2.SplitSpec(column="split", validation_fraction=0.1, seed=7),
        network=network_pb2.NetworkSpec(layers=layers),
        loss=training_spec_pb2.LOSS_CATEGORICAL_CROSS_ENTROPY,
        optimizer=training_spec_pb2.Optimizer(adam=training_spec_pb2.Adam(learning_rate=0.001)),
        batch_size=64,
        epochs=2,
        seed=7,
        publish=training_spec_pb2.PublishSpec(model="models/from-python", aliases=["candidate"]),
    )


def create(request_id):
    request = training_service_pb2.CreateTrainingJobRequest(spec=spec(), request_id=request_id)
    return training.CreateTrainingJob(request)


def watch(name, after_sequence=0):
    request = training_service_pb2.WatchTrainingJobRequest(name=name, after_sequence=after_sequence)
    return training.WatchTrainingJob(request)


def images(count):
    with open(pixels_file, "rb") as file:
        return [file.read(784) for _ in range(count)]


def predict(model, *records):
    request = prediction_service_pb2.PredictRequest(model=model)
    for values in records:
        record = request.records.add()
        for column, value in values.items():
            setattr(record.values[column], *value)
    return prediction.Predict(request)


def plain(response):
    # A probability of 0 shall be there too.
    return json_format.MessageToDict(response, always_print_fields_with_no_presence=True)


def failure(call):
    """Status, words and google.rpc details of an error."""
    try:
        call()
    except grpc.RpcError as error:
        packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
        bad_request, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
        for detail in status_pb2.Status.FromString(packed).details:
            detail.Unpack(bad_request)
            detail.Unpack(info)
        return {
            "code": error.code().name,
            "message": error.details(),
            "reason": info.reason,
            "fields": [violation.field for violation in bad_request.field_violations],
        }
    raise AssertionError("the call did not fail")


@report
def follow():
    """Two subscribers: the first from the start, the second joins after the third event."""
    job = create("python-1")
    events, late = [], None
    for event in watch(job.name):
        events.append(event)
        if event.sequence == 3:
            late = watch(job.name, 3)
    return {
        "job": job.name,
        "events": [json_format.MessageToDict(event) for event in events],
        "late": [event.sequence for event in late],
    }


@report
def same_request_same_job():
    return create("python-1").name


@report
def cancel():
    request = training_service_pb2.CreateTrainingJobRequest(spec=spec())
    request.spec.epochs = 100_000
    request.spec.publish.model = "models/never"
    job = training.CreateTrainingJob(request)
    for event in watch(job.name):
        if event.WhichOneof("event") == "step":
            training.CancelTrainingJob(training_service_pb2.CancelTrainingJobRequest(name=job.name))
            break
    last = list(watch(job.name))[-1]
    return states.Name(last.state_change.state)


@report
def predict_images():
    return plain(predict("models/mnist", *({"image": ("content", content)} for content in images(5))))


@report
def predict_numbers():
    request = prediction_service_pb2.PredictRequest(model="models/mnist/versions/1")
    request.records.add().values["image"].numbers.values.extend(images(1)[0])
    return plain(prediction.Predict(request))


@report
def refuses_spec():
    request = training_service_pb2.CreateTrainingJobRequest(spec=spec())
    request.spec.network.layers[0].units = 0
    request.spec.optimizer.adam.learning_rate = 0
    return failure(lambda: training.CreateTrainingJob(request))


@report
def refuses_record():
    return failure(lambda: predict("models/mnist", {"picture": ("content", images(1)[0])}))


@report
def refuses_model():
    return failure(lambda: predict("models/minst", {"image": ("content", images(1)[0])}))


report.print()
