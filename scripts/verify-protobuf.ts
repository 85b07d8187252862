/**
 * Holds the codecs against the official round-trip data of `k8s.io/api` (`testdata/HEAD`): for every built-in kind
 * the JSON must decode and print unchanged, the protobuf must decode to the same, and both must encode to the very
 * bytes.
 *
 *   node scripts/verify-protobuf.ts <folder with *.json and *.pb>
 */
import { readdirSync, readFileSync } from 'node:fs';
import { schemaOf } from '#api';
import {
  decodeObject,
  decodeProtobuf,
  decodeProtobufObject,
  encodeProtobuf,
  parseApiVersion,
} from '#machinery';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: verify-protobuf.ts <folder>');

const counts = { kinds: 0, json: 0, decoded: 0, bytes: 0, bytesFromJson: 0 };
const unknown: string[] = [];
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const name = file.slice(0, -'.json'.length);
  const bytes = readFileSync(`${folder}/${name}.pb`);
  const envelope = decodeProtobuf(bytes);
  const gvk = { ...parseApiVersion(envelope.apiVersion), kind: envelope.kind };
  const schema = schemaOf(gvk);
  if (schema === undefined) {
    unknown.push(name);
    continue;
  }
  counts.kinds++;
  const text = JSON.stringify(JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')));
  const fromJson = decodeObject(schema, JSON.parse(text), { fieldValidation: 'Strict' }).object;
  const fromBytes = decodeProtobufObject(schema, bytes);
  const outcome = {
    json: JSON.stringify(fromJson) === text,
    decoded: JSON.stringify(fromBytes) === text,
    bytes: encodeProtobuf(gvk, schema, fromBytes).equals(bytes),
    bytesFromJson: encodeProtobuf(gvk, schema, fromJson).equals(bytes),
  };
  for (const key of ['json', 'decoded', 'bytes', 'bytesFromJson'] as const) if (outcome[key]) counts[key]++;
  if (Object.values(outcome).includes(false)) console.log(name, outcome);
}
console.log(
  `${counts.kinds} kinds: ${counts.json} print the same JSON, ${counts.decoded} decode from protobuf to it, ` +
    `${counts.bytes} encode to the same bytes (${counts.bytesFromJson} from JSON)`,
);
console.log(`not built in (old versions): ${unknown.length}`);
if (counts.json + counts.decoded + counts.bytes + counts.bytesFromJson !== 4 * counts.kinds)
  process.exitCode = 1;
