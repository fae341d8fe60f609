"""What a program does with Millrace: ask a model for answers, one by one and in a stream, by tensors and by raw records,
and follow a training job. Prints one JSON object a line.

Arguments: a file of images (784 bytes each, one a pixel), and the mesh's port base (8000).
"""

import json
import sys

import grpc
import numpy

# Generated from the contracts: see README.md.
from inference import grpc_service_pb2 as oip
from inference import grpc_service_pb2_grpc as oip_services
from millrace.v1 import prediction_service_pb2, prediction_service_pb2_grpc
from millrace.v1 import training_service_pb2, training_service_pb2_grpc

MODEL = "mnist"
PIXELS = 784
# gRPC takes answers of 4 MiB unless it is told otherwise; Millrace's own limit is this one.
MESSAGE_BYTES_MAX = 64 << 20


def main(images_file, port_base="8000"):
    images = numpy.fromfile(images_file, numpy.uint8).reshape(-1, PIXELS)
    with connect(int(port_base) + 1) as serving, connect(int(port_base) + 4) as training:
        inference = oip_services.GRPCInferenceServiceStub(serving)
        describe(inference)
        infer(inference, images)
        infer_in_stream(inference, images)
        predict(prediction_service_pb2_grpc.PredictionServiceStub(serving), images)
        follow_newest_job(training_service_pb2_grpc.TrainingServiceStub(training))


def connect(port):
    options = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)]
    return grpc.insecure_channel(f"127.0.0.1:{port}", options)


def describe(inference):
    say("ServerReady", ready=inference.ServerReady(oip.ServerReadyRequest()).ready)
    model = inference.ModelMetadata(oip.ModelMetadataRequest(name=MODEL))
    say(
        "ModelMetadata",
        name=model.name,
        versions=list(model.versions),
        platform=model.platform,
        inputs=tensors(model.inputs),
        outputs=tensors(model.outputs),
    )


def tensors(metadata):
    return [{"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)} for tensor in metadata]


def infer(inference, images):
    """All images in one request."""
    response = inference.ModelInfer(request_of(images))
    say(
        "ModelInfer",
        modelVersion=response.model_version,
        shape=list(response.outputs[0].shape),
        output=probabilities(response),
    )


def infer_in_stream(inference, images):
    """One request an image, all in one stream; answers come in the order of the requests and carry their ids."""
    requests = (request_of(images[index : index + 1], str(index)) for index in range(len(images)))
    for answer in inference.ModelStreamInfer(requests):
        if answer.error_message:
            # The error of one request; the stream goes on.
            raise RuntimeError(answer.error_message)
        say("ModelStreamInfer", id=answer.infer_response.id, output=probabilities(answer.infer_response))


def request_of(images, request_id=""):
    """The network's own input: float32 in [0, 1], little-endian."""
    values = images.astype("<f4") / numpy.float32(255)
    tensor = oip.ModelInferRequest.InferInputTensor(name="input", datatype="FP32", shape=values.shape)
    return oip.ModelInferRequest(
        model_name=MODEL, id=request_id, inputs=[tensor], raw_input_contents=[values.tobytes()]
    )


def probabilities(response):
    return numpy.frombuffer(response.raw_output_contents[0], "<f4").tolist()


def predict(prediction, images):
    """Raw records: the server applies the pipeline that was fitted at training."""
    request = prediction_service_pb2.PredictRequest(model=f"models/{MODEL}")
    for image in images:
        request.records.add().values["image"].content = image.tobytes()
    response = prediction.Predict(request)
    for answer in response.predictions:
        say(
            "Predict",
            modelVersion=response.model_version,
            label=answer.label,
            probability=answer.scores[0].probability,
        )


def follow_newest_job(training):
    """Events from the job's first to its last; of one that still runs, as they happen."""
    jobs = training.ListTrainingJobs(training_service_pb2.ListTrainingJobsRequest(page_size=1))
    job = jobs.training_jobs[0].name
    for event in follow(training, job):
        match event.WhichOneof("event"):
            case "epoch":
                what = {"epoch": event.epoch.epoch, "loss": event.epoch.loss}
            case "state_change":
                what = {"state": training_service_pb2.TrainingJob.State.Name(event.state_change.state)}
            case _:
                what = {}
        say("WatchTrainingJob", job=job, sequence=event.sequence, **what)


def follow(training, job):
    """Events are numbered: after a lost connection or a restart of the service it goes on where it was."""
    seen = 0
    while True:
        request = training_service_pb2.WatchTrainingJobRequest(name=job, after_sequence=seen)
        try:
            for event in training.WatchTrainingJob(request, wait_for_ready=True):
                seen = event.sequence
                yield event
            return
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise


def say(call, **fields):
    print(json.dumps({"call": call, **fields}), flush=True)


main(*sys.argv[1:])
