/** Instructions that change what an image says of itself, and no file. */
import type { ProcessDefaults } from '../content/media-types.ts';
import { signalNumber } from '../containers/signals.ts';
import { execForm } from './dockerfile-parser.ts';
import type { Instruction } from './dockerfile-parser.ts';
import { readArgument } from './build-plan.ts';
import type { Stage } from './stage.ts';
import { expand, keyValues, splitWords } from './variable-expansion.ts';
import type { Variables } from './variable-expansion.ts';

export interface BuildArguments {
  /** Given by the caller. */
  readonly args: Variables;
  /** Known before the first FROM. */
  readonly globalArguments: Variables;
}

function pairsOf(stage: Stage, { name, text }: Instruction): readonly (readonly [string, string])[] {
  const pairs = keyValues(text, stage.variables());
  if (pairs === undefined) throw new Error(`${name} must be of the form: name=value`);
  return pairs;
}

const commandOf = (stage: Stage, { text }: Instruction): readonly string[] =>
  execForm(text) ?? [...stage.shell, text];

function exposedPorts(words: readonly string[]): Record<string, object> {
  const ports: Record<string, object> = {};
  for (const word of words) {
    const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
    if (match === null) throw new Error(`invalid containerPort: ${word}`);
    const first = Number(match[1]);
    for (let port = first; port <= Number(match[2] ?? first); port++) {
      ports[`${port}/${(match[3] ?? 'tcp').toLowerCase()}`] = {};
    }
  }
  return ports;
}

const asSet = (names: readonly string[]): Record<string, object> =>
  Object.fromEntries(names.map((name) => [name, {}]));

function changed(stage: Stage, instruction: Instruction): Partial<ProcessDefaults> {
  const { name, text } = instruction;
  const { config } = stage;
  const variables = stage.variables();
  switch (name) {
    case 'LABEL':
      return { Labels: { ...config.Labels, ...Object.fromEntries(pairsOf(stage, instruction)) } };
    case 'MAINTAINER':
      return { Labels: { ...config.Labels, maintainer: text } };
    case 'USER':
      return { User: expand(text, variables) };
    case 'EXPOSE':
      return { ExposedPorts: { ...config.ExposedPorts, ...exposedPorts(splitWords(text, variables)) } };
    case 'VOLUME':
      return { Volumes: { ...config.Volumes, ...asSet(execForm(text) ?? splitWords(text, variables)) } };
    case 'CMD':
      stage.hasOwnCommand = true;
      return { Cmd: commandOf(stage, instruction) };
    case 'ENTRYPOINT':
      // The base's arguments were meant for the base's program.
      return {
        Entrypoint: commandOf(stage, instruction),
        ...(stage.hasOwnCommand ? {} : { Cmd: undefined }),
      };
    case 'STOPSIGNAL': {
      const signal = expand(text, variables);
      if (signalNumber(signal) === undefined) throw new Error(`invalid signal: ${signal}`);
      return { StopSignal: signal };
    }
    case 'SHELL': {
      const shell = execForm(text);
      if (shell === undefined || shell.length === 0)
        throw new Error('SHELL requires the arguments to be in JSON form');
      return { Shell: shell };
    }
    case 'HEALTHCHECK':
      // Kubernetes has probes of its own and does not look at it.
      return {};
    default:
      throw new Error(`${name} is not supported`);
  }
}

/** @throws Error saying what is wrong with the instruction. */
export function configure(
  stage: Stage,
  instruction: Instruction,
  { args, globalArguments }: BuildArguments,
): void {
  if (instruction.name === 'ENV') stage.setEnvironment(pairsOf(stage, instruction));
  else if (instruction.name === 'ARG') {
    for (const [name, value] of readArgument(instruction, args, stage.variables())) {
      const known = value ?? globalArguments.get(name);
      if (known !== undefined) stage.args.set(name, known);
    }
  } else stage.config = { ...stage.config, ...changed(stage, instruction) };
}
