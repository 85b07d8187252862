import { generateKeyPairSync } from 'node:crypto';

let pem: string | undefined;

/** One key for all servers of a test run: making one costs more than starting a server. */
export function serviceAccountKeyPem(): string {
  pem ??= generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  });
  return pem;
}
