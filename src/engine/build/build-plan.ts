/** The stages of a Dockerfile and which of them a target needs. */
import { BuildError } from './build-error.ts';
import type { Instruction } from './dockerfile-parser.ts';
import { expand, keyValues } from './variable-expansion.ts';
import type { Variables } from './variable-expansion.ts';

export interface PlannedStage {
  readonly index: number;
  readonly name: string | undefined;
  readonly from: Instruction;
  /** A stage, `scratch`, or an image's name. */
  readonly base: { readonly stage: number } | 'scratch' | { readonly image: string };
  readonly platform: string | undefined;
  readonly instructions: readonly Instruction[];
}

export interface BuildPlan {
  /** Only those needed, in the order to build them; the last one is the target. */
  readonly stages: readonly PlannedStage[];
  /** ARGs before the first FROM, which a stage has once it names them. */
  readonly globalArguments: Variables;
}

/** Names and values of an ARG; undefined: declared without a value. What the caller of the build gives wins. */
export function readArgument(
  instruction: Instruction,
  given: Variables,
  known: Variables,
): readonly [string, string | undefined][] {
  const declared = /^\w+$/.test(instruction.text)
    ? [[instruction.text, undefined] as const]
    : keyValues(instruction.text, known);
  if (declared === undefined) throw new BuildError(instruction, 'ARG must be name or name=value');
  return declared.map(([name, value]) => [name, given.get(name) ?? value]);
}

/** @throws BuildError. */
export function planBuild(
  instructions: readonly Instruction[],
  given: Variables,
  platformArguments: Variables,
  target: string | undefined,
): BuildPlan {
  const globals = new Map(platformArguments);
  const all: PlannedStage[] = [];
  const bodies: Instruction[][] = [];
  for (const instruction of instructions) {
    const body = bodies.at(-1);
    if (instruction.name === 'FROM') {
      all.push(planStage(instruction, all, globals, bodies));
    } else if (body !== undefined) {
      body.push(instruction);
    } else if (instruction.name === 'ARG') {
      for (const [name, value] of readArgument(instruction, given, globals))
        if (value !== undefined) globals.set(name, value);
    } else {
      throw new BuildError(
        instruction,
        'no build stage in current context: the first instruction must be FROM or ARG',
      );
    }
  }
  const last = all.at(-1);
  const [first] = instructions;
  if (last === undefined || first === undefined) {
    throw new BuildError(first ?? { file: 'Dockerfile', line: 1 }, 'no build stage: there is no FROM');
  }
  const wanted = target === undefined ? last : findStage(all, target);
  if (wanted === undefined) throw new BuildError(first, `target stage "${target}" could not be found`);
  const needed = new Set<number>();
  collect(wanted.index, all, needed);
  return { stages: all.filter((stage) => needed.has(stage.index)), globalArguments: globals };
}

function planStage(
  from: Instruction,
  before: readonly PlannedStage[],
  globals: Variables,
  bodies: Instruction[][],
): PlannedStage {
  const match = /^(\S+)(?:\s+as\s+(\S+))?$/i.exec(from.text);
  if (match === null) throw new BuildError(from, 'FROM requires either one or three arguments');
  const image = expand(match[1] ?? '', globals);
  if (image === '') throw new BuildError(from, `base name (${match[1]}) should not be blank`);
  const platform = from.flags.get('platform')?.[0];
  const body: Instruction[] = [];
  bodies.push(body);
  const stage = findStage(before, image);
  return {
    index: before.length,
    name: match[2]?.toLowerCase(),
    from,
    base: stage !== undefined ? { stage: stage.index } : image === 'scratch' ? 'scratch' : { image },
    platform: platform === undefined ? undefined : expand(platform, globals),
    instructions: body,
  };
}

/** By name or number; the last of a name wins. */
export function findStage(stages: readonly PlannedStage[], name: string): PlannedStage | undefined {
  const byName = stages.findLast((stage) => stage.name === name.toLowerCase());
  return byName ?? (/^\d+$/.test(name) ? stages.find((stage) => stage.index === Number(name)) : undefined);
}

/** Names of stages or images that an instruction takes files from. */
export function sourcesOf({ flags }: Instruction): readonly string[] {
  const mounts = (flags.get('mount') ?? []).flatMap((mount) => /(?:^|,)from=([^,]+)/.exec(mount)?.[1] ?? []);
  return [...(flags.get('from') ?? []), ...mounts];
}

function collect(index: number, all: readonly PlannedStage[], needed: Set<number>): void {
  const stage = all[index];
  if (stage === undefined || needed.has(index)) return;
  needed.add(index);
  if (typeof stage.base === 'object' && 'stage' in stage.base) collect(stage.base.stage, all, needed);
  const before = all.slice(0, index);
  for (const instruction of stage.instructions) {
    for (const source of sourcesOf(instruction)) {
      const from = findStage(before, source);
      if (from !== undefined) collect(from.index, all, needed);
    }
  }
}
