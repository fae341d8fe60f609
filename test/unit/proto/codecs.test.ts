import path from 'node:path';
import type * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import { expect, it } from 'vitest';
import { contracts, contractType } from '../../../proto/index.js';
import { root } from '../../support/mesh.js';

it.each(Object.values(contracts).map((contract) => [contract.name, contract] as const))(
  'gives the methods of %s as @grpc/proto-loader does',
  (name, contract) => {
    const options = { longs: Number, enums: String, defaults: true, oneofs: true };
    const theirs = loadSync(contract.file, { ...options, includeDirs: [path.join(root, 'proto')] });
    const expected = theirs[name] as grpc.ServiceDefinition;
    expect(Object.keys(contract.definition)).toEqual(Object.keys(expected));
    for (const [method, definition] of Object.entries(contract.definition)) {
      expect(outline(definition)).toEqual(outline(expected[method]!));
    }
  },
);

/** What can be compared of a method: its form, and what an empty message becomes, read and written. */
function outline(method: grpc.MethodDefinition<unknown, unknown>) {
  const request = method.requestDeserialize(Buffer.alloc(0));
  const response = method.responseDeserialize(Buffer.alloc(0));
  return {
    ...{ path: method.path, requestStream: method.requestStream, responseStream: method.responseStream },
    ...{ request, response },
    written: [method.requestSerialize(request), method.responseSerialize(response)],
  };
}

it('knows of every field what its .proto file says', () => {
  const files = new Set(Object.values(contracts).map(({ file }) => path.join(root, 'proto', file)));
  const parsed = new protobuf.Root();
  parsed.resolvePath = (_, file) => path.resolve(root, 'proto', file);
  parsed.loadSync([...files]).resolveAll();
  const expected = typesOf(parsed).flatMap(fieldsOf);
  expect(expected.length).toBeGreaterThan(500);
  expect(typesOf(parsed).flatMap(({ fullName }) => fieldsOf(contractType(fullName)))).toEqual(expected);
});

function typesOf(scope: protobuf.NamespaceBase): protobuf.Type[] {
  return scope.nestedArray.flatMap((each) => [
    ...(each instanceof protobuf.Type ? [each] : []),
    ...(each instanceof protobuf.Namespace ? typesOf(each) : []),
  ]);
}

function fieldsOf({ fullName, fieldsArray }: protobuf.Type) {
  return fieldsArray.map((field) => {
    const { name, id, type, repeated, packed, required, map, defaultValue, partOf } = field.resolve();
    const outside = [field.resolvedType?.fullName, partOf?.name, partOf?.isProto3Optional, Boolean(field.hasPresence)];
    return [fullName, name, id, type, repeated, packed, required, map, defaultValue, ...outside];
  });
}

it('writes and reads every kind of field', () => {
  const { CreateTrainingJob } = contracts.training.definition;
  const request = {
    spec: { dataset: 'datasets/d', batchSize: 32, seed: 2 ** 52, optimizer: { adam: { learningRate: 0.5 } } },
    labels: { team: 'vision' },
    priority: -3,
  };
  const read = CreateTrainingJob!.requestDeserialize(CreateTrainingJob!.requestSerialize(request));
  expect(read).toMatchObject(request);
});

it('writes lists of jobs that are read as those by reflection, the same job again too', () => {
  const { definition, serverDefinition } = contracts.training;
  const job = { name: 'trainingJobs/a', spec: { dataset: 'datasets/d' }, labels: { team: 'x' }, latestSequence: 7 };
  for (const page of [
    { trainingJobs: [job, { ...job, name: 'trainingJobs/b' }, job], nextPageToken: 'next', latestPosition: 2 ** 40 },
    { trainingJobs: [job], nextPageToken: '', latestPosition: 0 },
    { trainingJobs: [] },
  ]) {
    const written = serverDefinition.ListTrainingJobs!.responseSerialize(page);
    const { responseSerialize, responseDeserialize } = definition.ListTrainingJobs!;
    expect(responseDeserialize(written)).toEqual(responseDeserialize(responseSerialize(page)));
  }
});
