import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { root, run } from '../../support/mesh.js';

const source = path.join(root, 'test/bench/serving/echo_server.cpp');
const contracts = ['inference/grpc_service.proto', 'inference/model_config.proto'];
// Not in dist/, which is made anew with every build.
const folder = path.join(root, 'node_modules/.cache/millrace/echo');
const program = path.join(folder, 'echo_server');

/** Compiles the echo server if it is older than its sources, which takes a minute. @returns where it is, or why it is not */
export async function buildEchoServer(): Promise<{ program: string } | { reason: string }> {
  const sources = [source, ...contracts.map((file) => path.join(root, 'proto', file))];
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  if (existsSync(program) && statSync(program).mtimeMs > newest) {
    return { program };
  }
  mkdirSync(folder, { recursive: true });
  const script = `
    cd '${root}/proto'
    plugin=$(command -v grpc_cpp_plugin)
    protoc -I . --cpp_out='${folder}' --grpc_out='${folder}' --plugin="protoc-gen-grpc=$plugin" ${contracts.join(' ')}
    flags=$(pkg-config --cflags --libs grpc++ protobuf)
    g++ -std=c++20 -O2 -I '${folder}' '${source}' '${folder}'/inference/*.cc -o '${program}' $flags`;
  const { status, stderr } = await run('sh', ['-euc', script]);
  const lastLine = stderr.trim().split('\n').at(-1);
  return status === 0
    ? { program }
    : {
        reason: `the C++ echo server is not measured: it needs g++, libgrpc++-dev and protobuf-compiler-grpc (${lastLine})`,
      };
}
