/**
 * The subject of a PKCS #10 request (RFC 2986), which is all that admission looks at:
 *
 *     SEQUENCE { SEQUENCE { INTEGER version, SEQUENCE OF SET OF SEQUENCE { OID, string } subject, … }, … }
 *
 * Read by hand: a certificate library would cost every start of the server more than these lines.
 */

export interface RequestedSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

const INTEGER = 0x02;
const OID = 0x06;
const SEQUENCE = 0x30;
const SET = 0x31;
const BMP_STRING = 0x1e;
const COMMON_NAME = '550403';
const ORGANIZATION = '55040a';
/** Bytes of a request that are looked at; a longer one is refused. */
const MAX_REQUEST_BYTES = 1 << 20;

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

const malformed = (): Error => new Error('asn1: structure error: malformed certificate request');

/** The elements side by side in `data`. @throws Error when lengths do not fit. */
function elements(data: Buffer): readonly Element[] {
  const found: Element[] = [];
  for (let at = 0; at < data.length; ) {
    const tag = data[at] ?? 0;
    let length = data[at + 1] ?? -1;
    let start = at + 2;
    if (length >= 0x80) {
      const size = length & 0x7f;
      if (size === 0 || size > 4 || start + size > data.length) throw malformed();
      length = data.readUIntBE(start, size);
      start += size;
    }
    if (length < 0 || start + length > data.length) throw malformed();
    found.push({ tag, content: data.subarray(start, start + length) });
    at = start + length;
  }
  return found;
}

function inside(element: Element | undefined, tag: number): readonly Element[] {
  if (element?.tag !== tag) throw malformed();
  return elements(element.content);
}

/** UTF-8 covers the printable and ASCII strings; BMP strings are big-endian UTF-16. */
const text = ({ tag, content }: Element): string =>
  tag === BMP_STRING ? Buffer.from(content).swap16().toString('utf16le') : content.toString('utf8');

/**
 * From the PEM of a request, in base64 as the API carries bytes.
 * @throws Error when it is not a PEM `CERTIFICATE REQUEST`, or what is in it cannot be read.
 */
export function requestedSubject(requestBase64: string): RequestedSubject {
  if (requestBase64.length > MAX_REQUEST_BYTES) throw malformed();
  const pem = Buffer.from(requestBase64, 'base64').toString('latin1');
  const body = /-----BEGIN CERTIFICATE REQUEST-----([\s\S]+?)-----END CERTIFICATE REQUEST-----/.exec(
    pem,
  )?.[1];
  if (body === undefined) throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const [request] = elements(Buffer.from(body, 'base64'));
  const [info] = inside(request, SEQUENCE);
  const [version, subject] = inside(info, SEQUENCE);
  if (version?.tag !== INTEGER) throw malformed();
  let commonName = '';
  const organizations: string[] = [];
  for (const set of inside(subject, SEQUENCE)) {
    for (const attribute of inside(set, SET)) {
      const [type, value] = inside(attribute, SEQUENCE);
      if (type?.tag !== OID || value === undefined) throw malformed();
      const oid = type.content.toString('hex');
      if (oid === COMMON_NAME) commonName = text(value);
      if (oid === ORGANIZATION) organizations.push(text(value));
    }
  }
  return { commonName, organizations };
}
