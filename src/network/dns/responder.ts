/**
 * Answers one DNS question about the cluster's own names (RFC 1035, 2308). Pure: content in, records out.
 */
import type { Answer, Question, SrvAnswer, StringAnswer } from 'dns-packet';
import type { ClusterNames } from './names.ts';

export interface Reply {
  readonly rcode: 'NOERROR' | 'NXDOMAIN';
  readonly answers: readonly Answer[];
  readonly additionals: readonly Answer[];
  readonly authorities: readonly Answer[];
}

const TTL_SECONDS = 5;
const ALIAS_DEPTH = 8;

/** Which records of the cluster's zones answer a question. */
export class ClusterResponder {
  readonly #names: ClusterNames;
  readonly #domain: string;

  constructor(names: ClusterNames, domain: string) {
    this.#names = names;
    this.#domain = domain;
  }

  /** Undefined: not about this cluster, ask someone else. `name` as asked; matching ignores case. */
  answer(question: Question): Reply | undefined {
    const name = question.name.toLowerCase().replace(/\.$/, '');
    if (name === this.#domain || name.endsWith(`.${this.#domain}`)) return this.#forward(question, name);
    if (question.type === 'PTR' && name.endsWith('.in-addr.arpa')) return this.#reverse(question, name);
    return undefined;
  }

  /** The name an ExternalName service stands for, when the question asks for addresses. */
  aliasOf(question: Question): string | undefined {
    const name = question.name.toLowerCase();
    const content = name.endsWith(`.${this.#domain}`) ? this.#names.lookup(this.#labels(name)) : undefined;
    return content?.type === 'alias' ? content.target : undefined;
  }

  #labels(name: string): readonly string[] {
    return name === this.#domain ? [] : name.slice(0, -this.#domain.length - 1).split('.');
  }

  #forward(question: Question, name: string, depth = 0): Reply {
    const content = this.#names.lookup(this.#labels(name));
    if (content === undefined) return this.#nothing('NXDOMAIN');
    const base = { name: question.name, ttl: TTL_SECONDS, class: 'IN' as const };
    switch (content.type) {
      case 'addresses':
        return question.type === 'A'
          ? this.#found(content.addresses.map((data): StringAnswer => ({ ...base, type: 'A', data })))
          : this.#nothing('NOERROR');
      case 'alias': {
        const alias: StringAnswer = { ...base, type: 'CNAME', data: content.target };
        const target = content.target.toLowerCase();
        if (question.type === 'CNAME' || depth >= ALIAS_DEPTH || !target.endsWith(`.${this.#domain}`)) {
          return this.#found([alias]);
        }
        const rest = this.#forward({ ...question, name: content.target }, target, depth + 1);
        return { ...rest, rcode: 'NOERROR', answers: [alias, ...rest.answers] };
      }
      case 'services': {
        if (question.type !== 'SRV') return this.#nothing('NOERROR');
        const weight = Math.max(1, Math.floor(100 / content.targets.length));
        const answers = content.targets.map(
          ({ name: target, port }): SrvAnswer => ({
            ...base,
            type: 'SRV',
            data: { priority: 0, weight, port, target },
          }),
        );
        const additionals = content.targets.map(
          (target): StringAnswer => ({ ...base, name: target.name, type: 'A', data: target.address }),
        );
        return { rcode: 'NOERROR', answers, additionals, authorities: [] };
      }
      case 'text':
        return question.type === 'TXT'
          ? this.#found([{ ...base, type: 'TXT', data: [content.text] }])
          : this.#nothing('NOERROR');
      case 'empty':
        return this.#nothing('NOERROR');
      default:
        return content satisfies never;
    }
  }

  #reverse(question: Question, name: string): Reply | undefined {
    const address = name.slice(0, -'.in-addr.arpa'.length).split('.').toReversed().join('.');
    const names = this.#names.reverse(address);
    if (names.length === 0) return undefined;
    return this.#found(
      names.map(
        (data): StringAnswer => ({ name: question.name, ttl: TTL_SECONDS, class: 'IN', type: 'PTR', data }),
      ),
    );
  }

  #found(answers: readonly Answer[]): Reply {
    return { rcode: 'NOERROR', answers, additionals: [], authorities: [] };
  }

  /** No records: the zone's SOA tells how long that may be remembered (RFC 2308). */
  #nothing(rcode: Reply['rcode']): Reply {
    const soa: Answer = {
      name: this.#domain,
      type: 'SOA',
      class: 'IN',
      ttl: TTL_SECONDS,
      data: {
        mname: `ns.dns.${this.#domain}`,
        rname: `hostmaster.${this.#domain}`,
        serial: 1,
        refresh: 7200,
        retry: 1800,
        expire: 86_400,
        minimum: TTL_SECONDS,
      },
    };
    return { rcode, answers: [], additionals: [], authorities: [soa] };
  }
}
