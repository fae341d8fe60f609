// What a program does with Millrace: ask a model for answers, one by one and in a stream, by tensors and by raw records,
// and follow a training job. Prints one JSON object a line.
//
// Arguments: a file of images (784 bytes each, one a pixel), and the mesh's port base (8000).
package main

//go:generate ../../node_modules/.bin/buf generate

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"slices"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"millrace/client/gen/inference"
	millrace "millrace/client/gen/millrace/v1"
)

const (
	model  = "mnist"
	pixels = 784
	// grpc-go takes answers of 4 MiB unless it is told otherwise; Millrace's own limit is this one.
	messageBytesMax = 64 << 20
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("which file of images?")
	}
	images, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	portBase := 8000
	if len(arguments) > 1 {
		if portBase, err = strconv.Atoi(arguments[1]); err != nil {
			return err
		}
	}
	serving, err := connect(portBase + 1)
	if err != nil {
		return err
	}
	defer serving.Close()
	training, err := connect(portBase + 4)
	if err != nil {
		return err
	}
	defer training.Close()

	client := inference.NewGRPCInferenceServiceClient(serving)
	return errors.Join(
		describe(ctx, client),
		infer(ctx, client, images),
		inferInStream(ctx, client, images),
		predict(ctx, millrace.NewPredictionServiceClient(serving), images),
		followNewestJob(ctx, millrace.NewTrainingServiceClient(training)),
	)
}

func connect(port int) (*grpc.ClientConn, error) {
	return grpc.NewClient(
		fmt.Sprintf("127.0.0.1:%d", port),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytesMax)),
	)
}

func describe(ctx context.Context, client inference.GRPCInferenceServiceClient) error {
	server, err := client.ServerReady(ctx, &inference.ServerReadyRequest{})
	if err != nil {
		return err
	}
	say("ServerReady", fields{"ready": server.Ready})
	metadata, err := client.ModelMetadata(ctx, &inference.ModelMetadataRequest{Name: model})
	if err != nil {
		return err
	}
	say("ModelMetadata", fields{
		"name": metadata.Name, "versions": metadata.Versions, "platform": metadata.Platform,
		"inputs": tensors(metadata.Inputs), "outputs": tensors(metadata.Outputs),
	})
	return nil
}

func tensors(metadata []*inference.ModelMetadataResponse_TensorMetadata) []fields {
	var described []fields
	for _, tensor := range metadata {
		described = append(described, fields{"name": tensor.Name, "datatype": tensor.Datatype, "shape": tensor.Shape})
	}
	return described
}

// All images in one request.
func infer(ctx context.Context, client inference.GRPCInferenceServiceClient, images []byte) error {
	response, err := client.ModelInfer(ctx, requestOf(images))
	if err != nil {
		return err
	}
	say("ModelInfer", fields{
		"modelVersion": response.ModelVersion, "shape": response.Outputs[0].Shape, "output": probabilities(response),
	})
	return nil
}

// One request an image, all in one stream; answers come in the order of the requests and carry their ids.
func inferInStream(ctx context.Context, client inference.GRPCInferenceServiceClient, images []byte) error {
	stream, err := client.ModelStreamInfer(ctx)
	if err != nil {
		return err
	}
	index := 0
	for image := range slices.Chunk(images, pixels) {
		request := requestOf(image)
		request.Id = strconv.Itoa(index)
		if err := stream.Send(request); err != nil {
			return err
		}
		index++
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if answer.ErrorMessage != "" {
			// The error of one request; the stream goes on.
			return errors.New(answer.ErrorMessage)
		}
		say("ModelStreamInfer", fields{"id": answer.InferResponse.Id, "output": probabilities(answer.InferResponse)})
	}
}

// The network's own input: float32 in [0, 1], little-endian.
func requestOf(images []byte) *inference.ModelInferRequest {
	contents := make([]byte, 0, 4*len(images))
	for _, pixel := range images {
		contents = binary.LittleEndian.AppendUint32(contents, math.Float32bits(float32(pixel)/255))
	}
	return &inference.ModelInferRequest{
		ModelName: model,
		Inputs: []*inference.ModelInferRequest_InferInputTensor{
			{Name: "input", Datatype: "FP32", Shape: []int64{int64(len(images) / pixels), pixels}},
		},
		RawInputContents: [][]byte{contents},
	}
}

func probabilities(response *inference.ModelInferResponse) []float32 {
	contents := response.RawOutputContents[0]
	values := make([]float32, 0, len(contents)/4)
	for value := range slices.Chunk(contents, 4) {
		values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(value)))
	}
	return values
}

// Raw records: the server applies the pipeline that was fitted at training.
func predict(ctx context.Context, client millrace.PredictionServiceClient, images []byte) error {
	request := &millrace.PredictRequest{Model: "models/" + model}
	for image := range slices.Chunk(images, pixels) {
		content := &millrace.Value{Kind: &millrace.Value_Content{Content: image}}
		request.Records = append(request.Records, &millrace.Record{Values: map[string]*millrace.Value{"image": content}})
	}
	response, err := client.Predict(ctx, request)
	if err != nil {
		return err
	}
	for _, answer := range response.Predictions {
		say("Predict", fields{
			"modelVersion": response.ModelVersion, "label": answer.Label, "probability": answer.Scores[0].Probability,
		})
	}
	return nil
}

// Events from the job's first to its last; of one that still runs, as they happen.
func followNewestJob(ctx context.Context, client millrace.TrainingServiceClient) error {
	jobs, err := client.ListTrainingJobs(ctx, &millrace.ListTrainingJobsRequest{PageSize: 1})
	if err != nil {
		return err
	}
	if len(jobs.TrainingJobs) == 0 {
		return errors.New("there is no training job")
	}
	job := jobs.TrainingJobs[0].Name
	return follow(ctx, client, job, func(event *millrace.TrainingEvent) {
		what := fields{"job": job, "sequence": event.Sequence}
		switch kind := event.Event.(type) {
		case *millrace.TrainingEvent_Epoch:
			what["epoch"], what["loss"] = kind.Epoch.Epoch, kind.Epoch.Loss
		case *millrace.TrainingEvent_StateChange:
			what["state"] = kind.StateChange.State.String()
		}
		say("WatchTrainingJob", what)
	})
}

// Events are numbered: after a lost connection or a restart of the service it goes on where it was.
func follow(
	ctx context.Context, client millrace.TrainingServiceClient, job string, use func(*millrace.TrainingEvent),
) error {
	seen := int64(0)
	for {
		request := &millrace.WatchTrainingJobRequest{Name: job, AfterSequence: seen}
		events, err := client.WatchTrainingJob(ctx, request, grpc.WaitForReady(true))
		for err == nil {
			var event *millrace.TrainingEvent
			if event, err = events.Recv(); err == nil {
				seen = event.Sequence
				use(event)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if status.Code(err) != codes.Unavailable {
			return err
		}
	}
}

type fields map[string]any

func say(call string, what fields) {
	what["call"] = call
	if err := json.NewEncoder(os.Stdout).Encode(what); err != nil {
		log.Fatal(err)
	}
}
