// Runs a TypeScript file with its arguments: node source-process.mjs FILE ARGUMENT...
import { createServer, createServerModuleRunner } from 'vite';

const [file] = process.argv.splice(2, 1);
// Stays open: the file may import others at any time.
const server = await createServer({
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  server: { middlewareMode: true, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
});
await createServerModuleRunner(server.environments.ssr).import(file);
