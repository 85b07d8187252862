/**
 * Sets of fields, in the very form `fieldsV1` has on the wire (KEP-555): a tree of path steps.
 *
 * A node without children is a member of the set. A node with children is a member only when it also has `.`:
 * `{"f:spec": {"f:replicas": {}}}` holds `.spec.replicas`, `{"f:labels": {".": {}, "f:a": {}}}` holds `.labels` and
 * `.labels.a`. The root is never a member. Since the wire form is the set, reading and writing managed fields costs
 * nothing, and an operation that changes nothing returns its very argument.
 *
 * Steps are canonical (see `path-element.ts`) and each node's steps are sorted. Trees are never mutated.
 */
import { canonicalStep, compareSteps, SELF } from './path-element.ts';

export interface FieldTree {
  readonly [step: string]: FieldTree;
}

type MutableTree = Record<string, FieldTree>;

/** As a root the empty set, as a node a member without children. */
export const LEAF: FieldTree = Object.freeze({});
export const EMPTY_SET: FieldTree = LEAF;

export function isEmptyTree(tree: FieldTree): boolean {
  for (const _ in tree) return false;
  return true;
}

export function isMember(node: FieldTree | undefined): boolean {
  return node !== undefined && (node[SELF] !== undefined || isEmptyTree(node));
}

export function hasChildren(node: FieldTree): boolean {
  for (const step in node) if (step !== SELF) return true;
  return false;
}

/** The node that is a member or not and has these children; undefined when it is neither. */
function nodeOf(member: boolean, children: FieldTree): FieldTree | undefined {
  if (!hasChildren(children)) return member ? LEAF : undefined;
  if (member === (children[SELF] !== undefined)) return children;
  const { [SELF]: _, ...rest } = children;
  return member ? { [SELF]: LEAF, ...rest } : rest;
}

export function union(a: FieldTree, b: FieldTree): FieldTree {
  if (a === b || !hasChildren(b)) return a;
  if (!hasChildren(a)) return b;
  const merged: MutableTree = {};
  let changed = false;
  let added = false;
  for (const step in a) {
    const left = a[step];
    const right = b[step];
    if (left === undefined) continue;
    if (step === SELF || right === undefined) {
      merged[step] = left;
      continue;
    }
    const node = nodeOf(isMember(left) || isMember(right), union(left, right)) ?? LEAF;
    if (node !== left) changed = true;
    merged[step] = node;
  }
  for (const step in b) {
    const right = b[step];
    if (step === SELF || right === undefined || merged[step] !== undefined) continue;
    merged[step] = right;
    added = true;
  }
  if (added) return sorted(merged);
  return changed ? merged : a;
}

/** Members of `a` that are not members of `b`: a parent in `b` leaves its children in `a` alone. */
export function difference(a: FieldTree, b: FieldTree): FieldTree {
  return filterAgainst(a, b, (left, right) =>
    nodeOf(isMember(left) && !isMember(right), difference(left, right)),
  );
}

/** Like `difference`, and a member of `b` takes everything below it out of `a`. */
export function recursiveDifference(a: FieldTree, b: FieldTree): FieldTree {
  return filterAgainst(a, b, (left, right) =>
    isMember(right) ? undefined : nodeOf(isMember(left), recursiveDifference(left, right)),
  );
}

function filterAgainst(
  a: FieldTree,
  b: FieldTree,
  combine: (left: FieldTree, right: FieldTree) => FieldTree | undefined,
): FieldTree {
  let result: MutableTree | undefined;
  for (const step in b) {
    if (step === SELF) continue;
    const left = a[step];
    const right = b[step];
    if (left === undefined || right === undefined) continue;
    const node = combine(left, right);
    if (node === left) continue;
    result ??= { ...a };
    if (node === undefined) delete result[step];
    else result[step] = node;
  }
  return result ?? a;
}

export function intersection(a: FieldTree, b: FieldTree): FieldTree {
  if (a === b) return a;
  const shared: MutableTree = {};
  for (const step in a) {
    if (step === SELF) continue;
    const left = a[step];
    const right = b[step];
    if (left === undefined || right === undefined) continue;
    const node = nodeOf(isMember(left) && isMember(right), intersection(left, right));
    if (node !== undefined) shared[step] = node;
  }
  return shared;
}

export function sameTree(a: FieldTree, b: FieldTree): boolean {
  if (a === b) return true;
  let steps = 0;
  for (const step in a) {
    const left = a[step];
    const right = b[step];
    if (left === undefined || right === undefined || !sameTree(left, right)) return false;
    steps++;
  }
  return steps === Object.keys(b).length;
}

/** Calls `visit` for every member: those of a node before those below it. */
export function forEachMember(
  tree: FieldTree,
  visit: (path: readonly string[]) => void,
  prefix: readonly string[] = [],
): void {
  for (const step in tree) {
    if (step !== SELF && isMember(tree[step])) visit([...prefix, step]);
  }
  for (const step in tree) {
    const node = tree[step];
    if (step !== SELF && node !== undefined && hasChildren(node)) {
      forEachMember(node, visit, [...prefix, step]);
    }
  }
}

/** The set of these paths; each path is a list of field names. */
export function treeOfFields(paths: readonly (readonly string[])[]): FieldTree {
  const builder = new FieldTreeBuilder();
  for (const path of paths) builder.insert(path.map((name) => `f:${name}`));
  return builder.build();
}

/**
 * A set as a client or the store wrote it, made canonical; the argument itself when it already is.
 * @throws Error when it is not a tree of steps.
 */
export function canonicalTree(tree: unknown): FieldTree {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) {
    throw new Error('expected an object of path elements');
  }
  const source = tree as Record<string, unknown>;
  const canonical: MutableTree = {};
  let changed = false;
  let previous: string | undefined;
  for (const step of Object.keys(source)) {
    const own = step === SELF ? SELF : canonicalStep(step);
    if (own === undefined) {
      changed = true;
      continue;
    }
    const node = own === SELF ? LEAF : canonicalTree(source[step]);
    if (own !== step || (own !== SELF && node !== source[step])) changed = true;
    if (previous !== undefined && compareSteps(previous, own) >= 0) changed = true;
    canonical[own] = node;
    previous = own;
  }
  return changed ? sorted(canonical) : (source as unknown as FieldTree); // checked step by step above
}

function sorted(tree: MutableTree): FieldTree {
  const steps = Object.keys(tree);
  let inOrder = true;
  for (let i = 1; i < steps.length && inOrder; i++) {
    inOrder = compareSteps(steps[i - 1] ?? '', steps[i] ?? '') < 0;
  }
  if (inOrder) return tree;
  const result: MutableTree = {};
  for (const step of steps.sort(compareSteps)) result[step] = tree[step] ?? LEAF;
  return result;
}

/** A node of a tree that is being built. */
export interface BuilderNode {
  member: boolean;
  readonly children: Map<string, BuilderNode>;
}

/** Collects paths in any order. */
export class FieldTreeBuilder {
  readonly #root = builderNode();

  /** The root itself (an empty path) is not tracked. */
  insert(path: readonly string[], lastStep?: string): void {
    let node = this.#root;
    for (const step of path) node = childOf(node, step);
    if (lastStep !== undefined) node = childOf(node, lastStep);
    if (node !== this.#root) node.member = true;
  }

  build(): FieldTree {
    return builtTree(this.#root);
  }
}

export const builderNode = (): BuilderNode => ({ member: false, children: new Map() });

/** The set below this node; whether the root itself was made a member does not count. */
export const builtTree = ({ children }: BuilderNode): FieldTree => builtNode({ member: false, children });

/** The node below `node` at this step, made when it is not there. */
export function childOf(node: BuilderNode, step: string): BuilderNode {
  let next = node.children.get(step);
  if (next === undefined) {
    next = builderNode();
    node.children.set(step, next);
  }
  return next;
}

function builtNode(node: BuilderNode): FieldTree {
  if (node.children.size === 0) return LEAF;
  const tree: MutableTree = {};
  if (node.member) tree[SELF] = LEAF;
  for (const [step, next] of node.children) tree[step] = builtNode(next);
  return sorted(tree);
}
