/**
 * Links of what is looked at through a proxy. A page that was made for the root of its own server says `/style.css`
 * and means a file beside it; seen at `/api/v1/namespaces/x/services/y/proxy/` the link has to lead back through there.
 */
import { Transform, type TransformCallback } from 'node:stream';

export interface ProxiedPlace {
  /** `host:port` of the server behind the proxy. */
  readonly host: string;
  /** The `Host` the client asked for. */
  readonly requestHost: string;
  /** Path that leads to the root of the server behind the proxy, without a slash at its end. */
  readonly prefix: string;
}

/** Links to elsewhere and relative ones stay as they are. */
export function proxiedLink(link: string, { host, requestHost, prefix }: ProxiedPlace): string {
  const parts = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?(.*)$/is.exec(link);
  const [, scheme, authority = '', path = ''] = parts ?? [];
  const isSame = authority === '' || authority === host || authority === requestHost;
  if (!isSame || !path.startsWith('/')) return link;
  const origin =
    authority === requestHost && authority !== ''
      ? `${scheme === undefined ? '' : `${scheme}:`}//${authority}`
      : '';
  return `${origin}${path.startsWith(prefix) ? '' : prefix}${path}`;
}

/** Attributes that hold a link, by element (https://html.spec.whatwg.org/multipage/indices.html#attributes-3). */
const LINK_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** Elements whose content is text up to their end tag, whatever it looks like. */
const RAW_TEXT = new Set(['script', 'style', 'textarea', 'title', 'xmp']);

/** A tag that has not ended by then is passed on as it is. */
const TAG_CHARACTERS_MAX = 64 * 1024;

const START_TAG = /^<([a-z][a-z0-9]*)((?:[^>"']|"[^"]*"|'[^']*')*)>/i;
const ATTRIBUTE = /(\s)([^\s"'>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/g;

/** Rewrites the links of an HTML page as it streams by; everything else keeps its bytes. */
export class HtmlLinkRewriter extends Transform {
  readonly #place: ProxiedPlace;
  #pending = '';
  /** The raw-text element we are in. */
  #rawText: string | undefined;

  constructor(place: ProxiedPlace) {
    super();
    this.#place = place;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    // One character per byte: what is not a link comes out as it came in, in any encoding that extends ASCII.
    this.#pending += chunk.toString('latin1');
    done(null, Buffer.from(this.#take(false), 'latin1'));
  }

  override _flush(done: TransformCallback): void {
    done(null, Buffer.from(this.#take(true), 'latin1'));
  }

  #take(isEnd: boolean): string {
    const text = this.#pending;
    let out = '';
    let at = 0;
    while (at < text.length) {
      const open = this.#nextTag(text, at);
      if (open < 0) break;
      out += text.slice(at, open);
      at = open;
      const rest = text.slice(open, open + TAG_CHARACTERS_MAX);
      const tag = this.#rawText === undefined ? START_TAG.exec(rest) : null;
      if (tag !== null) {
        out += this.#rewritten(tag[0], (tag[1] ?? '').toLowerCase());
        at += tag[0].length;
      } else if (!isEnd && (this.#rawText !== undefined || couldBecomeTag(rest))) {
        this.#pending = text.slice(at);
        return out;
      } else {
        out += '<';
        at += 1;
      }
    }
    this.#pending = '';
    return out + text.slice(at);
  }

  /** Where the next tag may start; the end of a raw-text element ends it. */
  #nextTag(text: string, from: number): number {
    if (this.#rawText === undefined) return text.indexOf('<', from);
    const end = text.toLowerCase().indexOf(`</${this.#rawText}`, from);
    if (end >= 0) {
      this.#rawText = undefined;
      return end;
    }
    // The end tag may be cut in two.
    const open = text.lastIndexOf('<');
    return open >= from && text.length - open < this.#rawText.length + 2 ? open : -1;
  }

  #rewritten(tag: string, element: string): string {
    if (RAW_TEXT.has(element) && !tag.endsWith('/>')) this.#rawText = element;
    const attributes = Object.hasOwn(LINK_ATTRIBUTES, element) ? LINK_ATTRIBUTES[element] : undefined;
    if (attributes === undefined) return tag;
    return tag.replaceAll(ATTRIBUTE, (whole, space: string, name: string, equals: string, value: string) => {
      if (!attributes.includes(name.toLowerCase())) return whole;
      const quote = value.startsWith('"') || value.startsWith("'") ? value.charAt(0) : '';
      const link = quote === '' ? value : value.slice(1, -1);
      return `${space}${name}${equals}${quote}${proxiedLink(link, this.#place)}${quote}`;
    });
  }
}

/** Whether what starts here may still turn out to be a tag when more arrives. */
const couldBecomeTag = (text: string): boolean =>
  text.length < TAG_CHARACTERS_MAX &&
  /^<(?:$|[a-z](?:[^>"']|"[^"]*"|'[^']*')*(?:"[^"]*|'[^']*)?$)/i.test(text);
