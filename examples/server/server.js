import { openGuard } from 'la-ood';
import { createApp } from './app.js';

// node server.js guarded.onnx [PORT]
const [model, port = '8080'] = process.argv.slice(2);
const guard = await openGuard(model, { queue: 64 });
const app = createApp(guard, { logger: true });
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    // Connections on which nothing comes would keep it for a minute.
    setTimeout(() => app.server.closeAllConnections(), 5000).unref();
    app.close();
  });
await app.listen({ port: Number(port), host: process.env.HOST ?? '127.0.0.1' });
