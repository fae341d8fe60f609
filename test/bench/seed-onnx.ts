import protobuf from 'protobufjs';

type Fill = (writer: protobuf.Writer) => void;

/** A message of fields, as a field of another. Numbers are those of onnx.proto3. */
function message(writer: protobuf.Writer, field: number, fill: Fill): void {
  fill(writer.uint32((field << 3) | 2).fork());
  writer.ldelim();
}
const text = (writer: protobuf.Writer, field: number, value: string) => writer.uint32((field << 3) | 2).string(value);
const integer = (writer: protobuf.Writer, field: number, value: number) => writer.uint32(field << 3).int64(value);

function node(writer: protobuf.Writer, type: string, inputs: string[], output: string): void {
  message(writer, 1, (n) => {
    for (const input of inputs) text(n, 1, input);
    text(n, 2, output);
    text(n, 4, type);
  });
}

function tensor(writer: protobuf.Writer, name: string, shape: number[]): void {
  const count = shape.reduce((product, length) => product * length, 1);
  const values = Float32Array.from({ length: count }, (_, index) => (((index * 7919) % 2048) / 2048 - 0.5) / 16);
  message(writer, 5, (t) => {
    for (const length of shape) integer(t, 1, length);
    integer(t, 2, 1); // float32
    text(t, 8, name);
    t.uint32((9 << 3) | 2).bytes(new Uint8Array(values.buffer));
  });
}

/** A float32 matrix of any number of rows. */
function value(writer: protobuf.Writer, field: number, name: string, columns: number): void {
  message(writer, field, (v) => {
    text(v, 1, name);
    message(v, 2, (type) =>
      message(type, 1, (t) => {
        integer(t, 1, 1);
        message(t, 2, (shape) => {
          message(shape, 1, (rows) => text(rows, 2, 'rows'));
          message(shape, 1, (width) => integer(width, 1, columns));
        });
      }),
    );
  });
}

/** The seed's network as ONNX, with weights of no meaning: input [rows, 784] to output [rows, 10], operator set 17. */
export function seedOnnx(): Uint8Array {
  const widths = [784, 128, 128, 10];
  const model = protobuf.Writer.create();
  integer(model, 1, 8);
  message(model, 7, (graph) => {
    let previous = 'input';
    for (const [layer, units] of widths.slice(1).entries()) {
      const last = layer === widths.length - 2;
      node(graph, 'Gemm', [previous, `kernel${layer}`, `bias${layer}`], `logits${layer}`);
      previous = last ? 'output' : `hidden${layer}`;
      node(graph, last ? 'Softmax' : 'Relu', [`logits${layer}`], previous);
      tensor(graph, `kernel${layer}`, [widths[layer]!, units]);
      tensor(graph, `bias${layer}`, [units]);
    }
    text(graph, 2, 'seed');
    value(graph, 11, 'input', 784);
    value(graph, 12, 'output', 10);
  });
  message(model, 8, (operators) => integer(operators, 2, 17));
  return model.finish();
}
