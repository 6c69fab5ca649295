import Fastify from 'fastify';
import { DataError, imageSize, QueueFullError } from 'la-ood';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/**
 * A server that answers what a guard says of an image.
 *
 * @param {Pick<import('la-ood').Guard, 'score' | 'pending' | 'close'>} guard
 * @param {{ maxBytes?: number, maxPixels?: number, logger?: boolean }} [options] larger uploads are refused with 413
 */
export function createApp(guard, { maxBytes = 20 * 2 ** 20, maxPixels = 50e6, logger = false } = {}) {
  const app = Fastify({ bodyLimit: maxBytes, logger });
  const metrics = measured(guard);

  // The body is the file; what is no image is refused with 415 before it is read.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(/^(image\/|application\/octet-stream)/, { parseAs: 'buffer' }, (_, body, done) =>
    done(null, body),
  );

  app.post('/score', async (request, reply) => {
    const body = request.body ?? Buffer.alloc(0);
    await refuseUnfit(body, maxPixels);
    const { logits, parts, ...answer } = await guard.score(body, { signal: untilGone(reply) });
    if (answer.isOod) metrics.ood.inc();
    return answer;
  });
  app.get('/health', async () => ({ pending: guard.pending }));
  app.get('/metrics', async (_, reply) => {
    reply.type(metrics.registry.contentType);
    return metrics.registry.metrics();
  });

  app.setErrorHandler((error, _, reply) => {
    const [status, message] = explain(error, maxBytes);
    if (status === 503) reply.header('Retry-After', 1);
    if (status === 500) reply.log.error(error);
    return reply.code(status).send({ error: message });
  });
  app.addHook('onResponse', async (request, reply) => {
    if (request.routeOptions.url !== '/score') return;
    metrics.requests.inc({ status: reply.statusCode });
    metrics.seconds.observe(reply.elapsedTime / 1000);
  });
  // What is under way is answered, on connections that then close.
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onSend', async (_, reply) => {
    if (isClosing) reply.header('Connection', 'close');
  });
  app.addHook('onClose', () => guard.close());
  return app;
}

/** Headers alone are looked at: of an image that is too large nothing is unpacked. */
async function refuseUnfit(body, maxPixels) {
  let size;
  try {
    size = await imageSize(body, 'upload');
  } catch (error) {
    throw Object.assign(error, { statusCode: 415 });
  }
  const { height, width } = size;
  if (height * width <= maxPixels) return;
  const problem = `upload: has ${width} × ${height} pixels, and ${maxPixels / 1e6} million are taken`;
  throw Object.assign(new Error(problem), { statusCode: 413 });
}

/** Aborted when the client goes before it has its answer: nothing is computed for it then. */
function untilGone({ raw }) {
  const controller = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort(new Error('the client is gone'));
  });
  return controller.signal;
}

/** The status of an error, and a sentence. */
function explain(error, maxBytes) {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return [413, `upload: is larger than ${maxBytes / 2 ** 20} MiB`];
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return [415, 'upload: send the image as image/…'];
  if (error.statusCode) return [error.statusCode, error.message];
  if (error instanceof QueueFullError) return [503, error.message];
  if (error instanceof DataError) return [422, error.message];
  return [500, 'something went wrong here'];
}

function measured(guard) {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    name: 'guard_pending_images',
    help: 'Images that are accepted and not answered yet',
    registers,
    collect() {
      this.set(guard.pending);
    },
  });
  return {
    registry,
    requests: new Counter({
      name: 'guard_requests_total',
      help: 'Answers by their status',
      labelNames: ['status'],
      registers,
    }),
    ood: new Counter({ name: 'guard_ood_images_total', help: 'Images that were called OOD', registers }),
    seconds: new Histogram({
      name: 'guard_request_seconds',
      help: 'From a request to its answer',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
  };
}
