/**
 * YAML bodies, with the rules of `sigs.k8s.io/yaml`: YAML 1.1 scalars (`yes` is a boolean, `0777` is octal), but no
 * sexagesimal numbers and no timestamps (`22:22` and `2026-01-01` stay text), and one document.
 */
import type { Document, LineCounter, Tags } from 'yaml';
import { type ParsedDocument, parseJson } from './json.ts';
import { yamlLibrary } from './yaml-library.ts';

/** The text is not YAML. Starts as Go's do: `yaml: line 3: `. */
export class YamlSyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'YamlSyntaxError';
  }
}

/** As Go's YAML library prints: members in order, lists not indented, times quoted. */
const PRINT_STYLE = {
  aliasDuplicateObjects: false,
  indentSeq: false,
  lineWidth: 0,
  sortMapEntries: true,
  version: '1.1',
} as const;

/** Past these, an anchor is a bomb. */
const MAX_ALIASES = 100;
const LEFT_OUT_TAGS = new Set(['tag:yaml.org,2002:timestamp', 'tag:yaml.org,2002:binary']);

function goTags(tags: Tags): Tags {
  return tags.filter(
    (tag) =>
      typeof tag === 'string' || (!LEFT_OUT_TAGS.has(tag.tag) && !('format' in tag && tag.format === 'TIME')),
  );
}

/**
 * `duplicates` holds at most one entry, Go's own error with a line for each key that is there twice:
 * `yaml: unmarshal errors:\n  line 9: key "foo" already set in map`. `decodeObject` takes it as it is.
 * @throws YamlSyntaxError
 */
export function parseYaml(text: string, options: { readonly findDuplicates?: boolean } = {}): ParsedDocument {
  // Clients send JSON under a YAML content type (server-side apply does), and all JSON is YAML.
  if (text.startsWith('{')) {
    const json = tryJson(text, options);
    if (json !== undefined) return json;
  }
  const lines = new (yamlLibrary().LineCounter)();
  const document = firstDocument(text, lines);
  if (document === undefined) return { value: null, duplicates: [] };
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    throw new YamlSyntaxError(`yaml: line ${line}: ${goMessage(error)}`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw new YamlSyntaxError(`yaml: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (options.findDuplicates !== true) return { value, duplicates: [] };
  const problems: string[] = [];
  collectDuplicates(document.contents, lines, problems);
  return {
    value,
    duplicates: problems.length === 0 ? [] : [`yaml: unmarshal errors:\n${problems.join('\n')}`],
  };
}

/** As upstream answers `Accept: application/yaml`. */
export function printYaml(value: unknown): string {
  return yamlLibrary().stringify(value, PRINT_STYLE);
}

/** What Go says about the mistakes people make; the library's own words for the rest. */
const GO_MESSAGES: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'mapping values are not allowed in this context',
  TAB_AS_INDENT: 'found character that cannot start any token',
};

function goMessage(error: { readonly code: string; readonly message: string }): string {
  return GO_MESSAGES[error.code] ?? error.message.split('\n')[0] ?? error.message;
}

function tryJson(text: string, options: { readonly findDuplicates?: boolean }): ParsedDocument | undefined {
  try {
    const parsed = parseJson(text, options);
    return parsed.duplicates.length === 0 ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function firstDocument(text: string, lines: LineCounter): Document | undefined {
  const { Composer, Parser } = yamlLibrary();
  const composer = new Composer({
    version: '1.1',
    uniqueKeys: false,
    keepSourceTokens: false,
    customTags: goTags,
    lineCounter: lines,
    prettyErrors: false,
  });
  for (const document of composer.compose(new Parser(lines.addNewLine).parse(text), true)) return document;
  return undefined;
}

function collectDuplicates(node: unknown, lines: LineCounter, problems: string[]): void {
  const { isAlias, isMap, isNode, isScalar, isSeq } = yamlLibrary();
  if (isSeq(node)) {
    for (const item of node.items) collectDuplicates(item, lines, problems);
    return;
  }
  if (!isMap(node)) return;
  const seen = new Set<unknown>();
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? key.value : key;
    if (seen.has(name) && name !== '<<') {
      const at = isNode(value) && value.range ? value.range[0] : isNode(key) && key.range ? key.range[0] : 0;
      problems.push(`  line ${lines.linePos(at).line}: key ${JSON.stringify(name)} already set in map`);
    }
    seen.add(name);
    if (!isAlias(value)) collectDuplicates(value, lines, problems);
  }
}
