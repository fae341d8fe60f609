// What Go's Flight client gets from the preprocessing service.
//
// Arguments: host:port of preprocessing, a dataset version to copy, the dataset to copy it to, a pipeline of MNIST, a file to
// import. Prints one JSON object: what each check found, or what it raised.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

type result struct {
	Value  any    `json:"value"`
	Raised string `json:"raised,omitempty"`
}

// flightClient adds to the client what the checks have in common.
type flightClient struct {
	flight.Client
}

func main() {
	address, source, target, pipeline, file := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	unlimited := grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1 << 30))
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	connected, err := flight.NewClientWithMiddleware(address, basicAuth{}, nil, plain, unlimited)
	if err != nil {
		panic(err)
	}
	client := flightClient{connected}
	checks := []struct {
		name string
		run  func(context.Context) (any, error)
	}{
		{"handshake", client.handshake},
		{"criteria", func(ctx context.Context) (any, error) { return client.names(ctx, "datasets/mnist") }},
		{"part", client.part},
		{"copy", func(ctx context.Context) (any, error) { return client.copy(ctx, source, target) }},
		{"schema", func(ctx context.Context) (any, error) { return client.sameSchema(ctx, source) }},
		{"exchange", func(ctx context.Context) (any, error) { return client.exchange(ctx, pipeline) }},
		{"poll", func(ctx context.Context) (any, error) { return client.poll(ctx, file) }},
		{"renew", func(ctx context.Context) (any, error) { return client.renew(ctx, source) }},
		{"cancel", func(ctx context.Context) (any, error) { return client.cancel(ctx, source) }},
		{"drop", func(ctx context.Context) (any, error) { return client.drop(ctx, "datasets/go-import") }},
		{"actions", client.actions},
		{"unknown", func(ctx context.Context) (any, error) { return client.unknown(ctx) }},
	}
	report := map[string]result{}
	for _, check := range checks {
		value, err := check.run(context.Background())
		if err != nil {
			report[check.name] = result{Raised: err.Error()}
		} else {
			report[check.name] = result{Value: value}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		panic(err)
	}
}

// basicAuth logs in by Handshake.
type basicAuth struct{}

func (basicAuth) Authenticate(ctx context.Context, conn flight.AuthConn) error {
	if err := conn.Send([]byte("somebody")); err != nil {
		return err
	}
	_, err := conn.Read()
	return err
}

func (basicAuth) GetToken(context.Context) (string, error) { return "anonymous", nil }

func byPath(name string) *flight.FlightDescriptor {
	return &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: strings.Split(name, "/")}
}

func byCommand(command any) *flight.FlightDescriptor {
	text, err := json.Marshal(command)
	if err != nil {
		panic(err)
	}
	return &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: text}
}

func (c flightClient) handshake(ctx context.Context) (any, error) {
	if err := c.Authenticate(ctx); err != nil {
		return nil, err
	}
	_, err := c.AuthenticateBasicToken(ctx, "somebody", "secret")
	return err == nil, err
}

func (c flightClient) names(ctx context.Context, criteria string) (any, error) {
	stream, err := c.ListFlights(ctx, &flight.Criteria{Expression: []byte(criteria)})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for {
		info, err := stream.Recv()
		if err == io.EOF {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, strings.Join(info.FlightDescriptor.Path, "/"))
	}
}

func (c flightClient) read(ctx context.Context, ticket *flight.Ticket) (*flight.Reader, error) {
	stream, err := c.DoGet(ctx, ticket)
	if err != nil {
		return nil, err
	}
	return flight.NewRecordReader(stream)
}

// part reads some rows of one column.
func (c flightClient) part(ctx context.Context) (any, error) {
	command := map[string]any{"name": "datasets/mnist", "columns": []string{"label"}, "offset": 9_990, "limit": 20}
	info, err := c.GetFlightInfo(ctx, byCommand(command))
	if err != nil {
		return nil, err
	}
	reader, err := c.read(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	labels := []int{}
	for reader.Next() {
		for _, label := range reader.RecordBatch().Column(0).(*array.Uint8).Uint8Values() {
			labels = append(labels, int(label))
		}
	}
	columns := []string{}
	for _, field := range reader.Schema().Fields() {
		columns = append(columns, field.Name)
	}
	return map[string]any{"rows": info.TotalRecords, "columns": columns, "labels": labels}, reader.Err()
}

// copy reads a dataset version and puts it as another dataset, acknowledged batch by batch.
func (c flightClient) copy(ctx context.Context, source, target string) (any, error) {
	reader, err := c.read(ctx, &flight.Ticket{Ticket: []byte(source)})
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	stream, err := c.DoPut(ctx)
	if err != nil {
		return nil, err
	}
	writer := flight.NewRecordWriter(stream, ipc.WithSchema(reader.Schema()))
	writer.SetFlightDescriptor(byPath(target))
	batches := 0
	for reader.Next() {
		if err := writer.Write(reader.RecordBatch()); err != nil {
			return nil, err
		}
		batches++
	}
	if reader.Err() != nil {
		return nil, reader.Err()
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	acknowledged := 0
	for {
		answer, err := stream.Recv()
		if err == io.EOF {
			return nil, fmt.Errorf("the put ended without a version")
		}
		if err != nil {
			return nil, err
		}
		var told struct {
			Name   string `json:"name"`
			Digest string `json:"digest"`
		}
		if err := json.Unmarshal(answer.AppMetadata, &told); err != nil {
			return nil, err
		}
		if told.Name != "" {
			return map[string]any{"name": told.Name, "digest": told.Digest, "all": acknowledged == batches}, nil
		}
		acknowledged++
	}
}

func (c flightClient) sameSchema(ctx context.Context, source string) (any, error) {
	found, err := c.GetSchema(ctx, byPath(source))
	if err != nil {
		return nil, err
	}
	schema, err := flight.DeserializeSchema(found.Schema, nil)
	if err != nil {
		return nil, err
	}
	reader, err := c.read(ctx, &flight.Ticket{Ticket: []byte(source)})
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	return schema.Equal(reader.Schema()), nil
}

// exchange sends images and gets the bytes that the network would be fed with.
func (c flightClient) exchange(ctx context.Context, pipeline string) (any, error) {
	command, err := json.Marshal(map[string]any{"name": "datasets/mnist", "columns": []string{"image"}, "limit": 2_000})
	if err != nil {
		return nil, err
	}
	images, err := c.read(ctx, &flight.Ticket{Ticket: command})
	if err != nil {
		return nil, err
	}
	defer images.Release()
	stream, err := c.DoExchange(ctx)
	if err != nil {
		return nil, err
	}
	writer := flight.NewRecordWriter(stream, ipc.WithSchema(images.Schema()))
	writer.SetFlightDescriptor(byPath(pipeline))
	sent := sha256.New()
	attached := 0
	for images.Next() {
		sent.Write(itemBytes(images.RecordBatch().Column(0)))
		attached++
		if err := writer.WriteWithAppMetadata(images.RecordBatch(), []byte(fmt.Sprint(attached))); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	tensors, err := flight.NewRecordReader(stream)
	if err != nil {
		return nil, err
	}
	defer tensors.Release()
	received := sha256.New()
	rows, last := int64(0), ""
	for tensors.Next() {
		rows += tensors.RecordBatch().NumRows()
		received.Write(itemBytes(tensors.RecordBatch().Column(0)))
		last = string(tensors.LatestAppMetadata())
	}
	same := hex.EncodeToString(sent.Sum(nil)) == hex.EncodeToString(received.Sum(nil))
	return map[string]any{"rows": rows, "same": same, "metadata": last == fmt.Sprint(attached)}, tensors.Err()
}

func itemBytes(column arrow.Array) []byte {
	return column.(*array.FixedSizeList).ListValues().(*array.Uint8).Uint8Values()
}

// poll begins an import and follows it to its end.
func (c flightClient) poll(ctx context.Context, file string) (any, error) {
	command := map[string]any{"import": map[string]any{"dataset": "datasets/go-import", "paths": []string{file}}}
	descriptor := byCommand(command)
	for {
		answer, err := c.PollFlightInfo(ctx, descriptor)
		if err != nil {
			return nil, err
		}
		if answer.FlightDescriptor == nil {
			return answer.Info.TotalRecords, nil
		}
		descriptor = answer.FlightDescriptor
	}
}

func (c flightClient) renew(ctx context.Context, source string) (any, error) {
	info, err := c.GetFlightInfo(ctx, byPath(source))
	if err != nil {
		return nil, err
	}
	endpoint, err := c.RenewFlightEndpoint(ctx, &flight.RenewFlightEndpointRequest{Endpoint: info.Endpoint[0]})
	if err != nil {
		return nil, err
	}
	return !endpoint.ExpirationTime.AsTime().Before(info.Endpoint[0].ExpirationTime.AsTime()), nil
}

func (c flightClient) cancel(ctx context.Context, source string) (any, error) {
	info, err := c.GetFlightInfo(ctx, byPath(source))
	if err != nil {
		return nil, err
	}
	result, err := c.CancelFlightInfo(ctx, &flight.CancelFlightInfoRequest{Info: info})
	if err != nil {
		return nil, err
	}
	return result.Status.String(), nil
}

func (c flightClient) drop(ctx context.Context, dataset string) (any, error) {
	stream, err := c.DoAction(ctx, &flight.Action{Type: "DropDataset", Body: []byte(dataset)})
	if err != nil {
		return nil, err
	}
	if err := flight.ReadUntilEOF(stream); err != nil {
		return nil, err
	}
	return c.names(ctx, dataset)
}

func (c flightClient) actions(ctx context.Context) (any, error) {
	stream, err := c.ListActions(ctx, &flight.Empty{})
	if err != nil {
		return nil, err
	}
	types := []string{}
	for {
		action, err := stream.Recv()
		if err == io.EOF {
			return types, nil
		}
		if err != nil {
			return nil, err
		}
		types = append(types, action.Type)
	}
}

func (c flightClient) unknown(ctx context.Context) (any, error) {
	_, err := c.GetFlightInfo(ctx, byPath("datasets/none"))
	return status.Code(err).String(), nil
}
