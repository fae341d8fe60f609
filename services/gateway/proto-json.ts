import protobuf from 'protobufjs';

type Message = Record<string, unknown>;

/**
 * A message as the client has it (camelCase, unset messages null) in the JSON of Triton's HTTP API: names as in the .proto
 * file, every field that is not a message present, 64-bit integers as numbers, bytes in base64.
 */
export function toProtoJson(type: protobuf.Type, message: Message): Message {
  const json: Message = {};
  for (const field of type.fieldsArray) {
    const value = message[protobuf.util.camelCase(field.name)];
    if (value !== null && value !== undefined) {
      json[field.name] = toFieldJson(field, value);
    }
  }
  return json;
}

function toFieldJson(field: protobuf.Field, value: unknown): unknown {
  const toElement = (element: unknown) => toElementJson(field, element);
  if (field.map) {
    return Object.fromEntries(Object.entries(value as Message).map(([key, element]) => [key, toElement(element)]));
  }
  return field.repeated ? (value as unknown[]).map(toElement) : toElement(value);
}

function toElementJson(field: protobuf.Field, value: unknown): unknown {
  const type = field.resolve().resolvedType;
  if (type instanceof protobuf.Type) {
    return toProtoJson(type, value as Message);
  }
  return Buffer.isBuffer(value) ? value.toString('base64') : value;
}
