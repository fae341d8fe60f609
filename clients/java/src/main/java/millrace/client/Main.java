package millrace.client;

import com.google.gson.Gson;
import com.google.protobuf.ByteString;
import inference.GRPCInferenceServiceGrpc;
import inference.GRPCInferenceServiceGrpc.GRPCInferenceServiceBlockingStub;
import inference.GRPCInferenceServiceGrpc.GRPCInferenceServiceStub;
import inference.GrpcService.ModelInferRequest;
import inference.GrpcService.ModelInferResponse;
import inference.GrpcService.ModelMetadataRequest;
import inference.GrpcService.ModelMetadataResponse.TensorMetadata;
import inference.GrpcService.ModelStreamInferResponse;
import inference.GrpcService.ServerReadyRequest;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import millrace.v1.PredictionServiceGrpc;
import millrace.v1.PredictionServiceGrpc.PredictionServiceBlockingStub;
import millrace.v1.PredictionServiceOuterClass.PredictRequest;
import millrace.v1.RecordOuterClass.Record;
import millrace.v1.RecordOuterClass.Value;
import millrace.v1.TrainingServiceGrpc;
import millrace.v1.TrainingServiceGrpc.TrainingServiceBlockingStub;
import millrace.v1.TrainingServiceOuterClass.ListTrainingJobsRequest;
import millrace.v1.TrainingServiceOuterClass.TrainingEvent;
import millrace.v1.TrainingServiceOuterClass.WatchTrainingJobRequest;

/**
 * What a program does with Millrace: ask a model for answers, one by one and in a stream, by tensors and by raw records,
 * and follow a training job. Prints one JSON object a line.
 *
 * <p>Arguments: a file of images (784 bytes each, one a pixel), and the mesh's port base (8000).
 */
public final class Main {
  private static final String MODEL = "mnist";
  private static final int PIXELS = 784;

  /** grpc-java takes answers of 4 MiB unless it is told otherwise; Millrace's own limit is this one. */
  private static final int MESSAGE_BYTES_MAX = 64 << 20;

  public static void main(String[] arguments) throws IOException {
    byte[] images = Files.readAllBytes(Path.of(arguments[0]));
    int portBase = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 8000;
    ManagedChannel serving = connect(portBase + 1);
    ManagedChannel training = connect(portBase + 4);
    try {
      GRPCInferenceServiceBlockingStub inference = GRPCInferenceServiceGrpc.newBlockingStub(serving);
      describe(inference);
      infer(inference, images);
      inferInStream(GRPCInferenceServiceGrpc.newStub(serving), images);
      predict(PredictionServiceGrpc.newBlockingStub(serving), images);
      followNewestJob(TrainingServiceGrpc.newBlockingStub(training));
    } finally {
      serving.shutdownNow();
      training.shutdownNow();
    }
  }

  private static ManagedChannel connect(int port) {
    return ManagedChannelBuilder.forAddress("127.0.0.1", port)
        .usePlaintext()
        .maxInboundMessageSize(MESSAGE_BYTES_MAX)
        .build();
  }

  private static void describe(GRPCInferenceServiceBlockingStub inference) {
    say("ServerReady", "ready", inference.serverReady(ServerReadyRequest.getDefaultInstance()).getReady());
    var model = inference.modelMetadata(ModelMetadataRequest.newBuilder().setName(MODEL).build());
    say(
        "ModelMetadata",
        "name", model.getName(),
        "versions", model.getVersionsList(),
        "platform", model.getPlatform(),
        "inputs", tensors(model.getInputsList()),
        "outputs", tensors(model.getOutputsList()));
  }

  private static List<Map<String, Object>> tensors(List<TensorMetadata> tensors) {
    return tensors.stream()
        .map(tensor -> fields("name", tensor.getName(), "datatype", tensor.getDatatype(), "shape", tensor.getShapeList()))
        .toList();
  }

  /** All images in one request. */
  private static void infer(GRPCInferenceServiceBlockingStub inference, byte[] images) {
    ModelInferResponse response = inference.modelInfer(requestOf(images).build());
    say(
        "ModelInfer",
        "modelVersion", response.getModelVersion(),
        "shape", response.getOutputs(0).getShapeList(),
        "output", probabilities(response));
  }

  /** One request an image, all in one stream; answers come in the order of the requests and carry their ids. */
  private static void inferInStream(GRPCInferenceServiceStub inference, byte[] images) {
    var ended = new CompletableFuture<Void>();
    StreamObserver<ModelInferRequest> requests =
        inference.modelStreamInfer(
            new StreamObserver<ModelStreamInferResponse>() {
              @Override
              public void onNext(ModelStreamInferResponse answer) {
                if (!answer.getErrorMessage().isEmpty()) {
                  // The error of one request; the stream goes on.
                  ended.completeExceptionally(new IllegalStateException(answer.getErrorMessage()));
                  return;
                }
                ModelInferResponse response = answer.getInferResponse();
                say("ModelStreamInfer", "id", response.getId(), "output", probabilities(response));
              }

              @Override
              public void onError(Throwable error) {
                ended.completeExceptionally(error);
              }

              @Override
              public void onCompleted() {
                ended.complete(null);
              }
            });
    List<byte[]> rows = rowsOf(images);
    for (int index = 0; index < rows.size(); index++) {
      requests.onNext(requestOf(rows.get(index)).setId(Integer.toString(index)).build());
    }
    requests.onCompleted();
    ended.join();
  }

  /** The network's own input: float32 in [0, 1], little-endian. */
  private static ModelInferRequest.Builder requestOf(byte[] images) {
    ByteBuffer contents = ByteBuffer.allocate(4 * images.length).order(ByteOrder.LITTLE_ENDIAN);
    for (byte pixel : images) {
      contents.putFloat(Byte.toUnsignedInt(pixel) / 255f);
    }
    return ModelInferRequest.newBuilder()
        .setModelName(MODEL)
        .addInputs(
            ModelInferRequest.InferInputTensor.newBuilder()
                .setName("input")
                .setDatatype("FP32")
                .addShape(images.length / PIXELS)
                .addShape(PIXELS))
        .addRawInputContents(ByteString.copyFrom(contents.flip()));
  }

  private static float[] probabilities(ModelInferResponse response) {
    var contents = response.getRawOutputContents(0).asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    float[] values = new float[contents.remaining()];
    contents.get(values);
    return values;
  }

  /** Raw records: the server applies the pipeline that was fitted at training. */
  private static void predict(PredictionServiceBlockingStub prediction, byte[] images) {
    PredictRequest.Builder request = PredictRequest.newBuilder().setModel("models/" + MODEL);
    for (byte[] image : rowsOf(images)) {
      Value content = Value.newBuilder().setContent(ByteString.copyFrom(image)).build();
      request.addRecords(Record.newBuilder().putValues("image", content));
    }
    var response = prediction.predict(request.build());
    for (var answer : response.getPredictionsList()) {
      say(
          "Predict",
          "modelVersion", response.getModelVersion(),
          "label", answer.getLabel(),
          "probability", answer.getScores(0).getProbability());
    }
  }

  /** Events from the job's first to its last; of one that still runs, as they happen. */
  private static void followNewestJob(TrainingServiceBlockingStub training) {
    var jobs = training.listTrainingJobs(ListTrainingJobsRequest.newBuilder().setPageSize(1).build());
    String job = jobs.getTrainingJobs(0).getName();
    follow(
        training,
        job,
        event -> {
          Map<String, Object> what = fields("job", job, "sequence", event.getSequence());
          switch (event.getEventCase()) {
            case EPOCH -> what.putAll(fields("epoch", event.getEpoch().getEpoch(), "loss", event.getEpoch().getLoss()));
            case STATE_CHANGE -> what.put("state", event.getStateChange().getState().name());
            default -> {}
          }
          say("WatchTrainingJob", what);
        });
  }

  /** Events are numbered: after a lost connection or a restart of the service it goes on where it was. */
  private static void follow(TrainingServiceBlockingStub training, String job, Consumer<TrainingEvent> use) {
    long seen = 0;
    while (true) {
      var request = WatchTrainingJobRequest.newBuilder().setName(job).setAfterSequence(seen).build();
      try {
        var events = training.withWaitForReady().watchTrainingJob(request);
        while (events.hasNext()) {
          TrainingEvent event = events.next();
          seen = event.getSequence();
          use.accept(event);
        }
        return;
      } catch (StatusRuntimeException error) {
        if (error.getStatus().getCode() != Status.Code.UNAVAILABLE) {
          throw error;
        }
      }
    }
  }

  private static List<byte[]> rowsOf(byte[] images) {
    return IntStream.range(0, images.length / PIXELS)
        .mapToObj(row -> Arrays.copyOfRange(images, row * PIXELS, (row + 1) * PIXELS))
        .toList();
  }

  private static void say(String call, Object... namesAndValues) {
    say(call, fields(namesAndValues));
  }

  private static void say(String call, Map<String, Object> what) {
    Map<String, Object> line = fields("call", call);
    line.putAll(what);
    System.out.println(new Gson().toJson(line));
  }

  private static Map<String, Object> fields(Object... namesAndValues) {
    Map<String, Object> fields = new LinkedHashMap<>();
    for (int index = 0; index < namesAndValues.length; index += 2) {
      fields.put((String) namesAndValues[index], namesAndValues[index + 1]);
    }
    return fields;
  }

  private Main() {}
}
