import { constants } from 'node:os';

/** Real-time signals as libc numbers them for programs (the first two are its own). */
const RTMIN = 34;
const RTMAX = 64;

/** `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3` → the number. Undefined when it names no signal. */
export function signalNumber(name: string): number | undefined {
  const upper = name.trim().toUpperCase();
  if (/^\d+$/.test(upper)) {
    const value = Number(upper);
    return value >= 1 && value <= RTMAX ? value : undefined;
  }
  const short = upper.replace(/^SIG/, '');
  const realTime = /^RTM(IN|AX)(?:([+-])(\d+))?$/.exec(short);
  if (realTime !== null) {
    const [, base, sign, offset = '0'] = realTime;
    const value = (base === 'IN' ? RTMIN : RTMAX) + (sign === '-' ? -1 : 1) * Number(offset);
    return value >= RTMIN && value <= RTMAX ? value : undefined;
  }
  const known: Readonly<Record<string, number>> = constants.signals;
  return known[`SIG${short}`];
}
