// The page people see: asks the catalog for priced items and prints them, with the pods that answered.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const { SHOP_NAME = 'shop', CATALOG_URL = 'http://catalog', SHOP_KEY = '', PORT = '8080' } = process.env;
const VERSION = '1';

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

async function page() {
  const response = await fetch(`${CATALOG_URL}/items`, { headers: { 'x-shop-key': SHOP_KEY } });
  if (!response.ok) throw new Error(`catalog answered ${response.status}`);
  const { items, currency, servedBy, pricedBy } = await response.json();
  const rows = items.map((item) => `<li>${escape(item.name)}: ${item.price.toFixed(2)} ${escape(currency)}</li>`);
  return `<!doctype html><meta charset="utf-8"><title>${escape(SHOP_NAME)}</title>
<h1>${escape(SHOP_NAME)}</h1>
<ul>${rows.join('')}</ul>
<p>front v${VERSION} ${escape(hostname())}, catalog ${escape(servedBy)}, pricing ${escape(pricedBy)}</p>
`;
}

const server = createServer(async (request, response) => {
  if (request.url === '/healthz') {
    response.end('ok\n');
    return;
  }
  try {
    const html = await page();
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(html);
    console.log(`${request.method} ${request.url} 200`);
  } catch (error) {
    console.error(`${request.method} ${request.url} 502 ${error.message}`);
    response.statusCode = 502;
    response.end(`the catalog is not there: ${error.message}\n`);
  }
});
server.listen(Number(PORT), () => console.log(`front v${VERSION} listens on ${PORT}`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
