// Prices: the same name always costs the same.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const { PORT = '8080' } = process.env;

function priceOf(name) {
  let sum = 7;
  for (const char of name) sum = (sum * 31 + char.codePointAt(0)) % 9973;
  return Math.round(sum % 5000) / 100 + 1;
}

const server = createServer((request, response) => {
  const match = /^\/price\/(.+)$/.exec(request.url ?? '');
  response.setHeader('content-type', 'application/json');
  if (request.url === '/healthz') {
    response.end('{"ok":true}\n');
  } else if (match === null) {
    response.statusCode = 404;
    response.end('{"error":"not found"}\n');
  } else {
    response.end(`${JSON.stringify({ amount: priceOf(decodeURIComponent(match[1])), servedBy: hostname() })}\n`);
  }
});
server.listen(Number(PORT), () => console.log(`pricing listens on ${PORT}`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
