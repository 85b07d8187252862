/** A probe's or hook's port: a number, or the name of one of the container's ports. */
import type { Container } from '../pods/pod-spec.ts';

/** @throws when the name is not among the container's ports or the number is out of range. */
export function resolvePort(port: number | string, container: Container): number {
  const number = typeof port === 'number' ? port : byName(port, container);
  if (number > 0 && number < 65536) return number;
  throw new Error(`invalid port number: ${number}`);
}

function byName(name: string, container: Container): number {
  const found = (container.ports ?? []).find((port) => port.name === name);
  if (found !== undefined) return found.containerPort;
  const number = Number(name);
  if (Number.isInteger(number)) return number;
  throw new Error(`couldn't find port: ${name} in container: ${container.name}`);
}
