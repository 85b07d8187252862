/** What an object is, generically. Nothing here knows a built-in kind. */
export {
  type DecodedObject,
  type DecodeOptions,
  decodeObject,
  problemWarnings,
  strictDecodingError,
  strictDecodingMessage,
} from './decode/decode-object.ts';
export { getPath, setPath, withField } from './changed-copy.ts';
export { deepEqual } from './deep-equal.ts';
export { applyDefaults } from './defaults.ts';
export { formatDuration, parseDuration } from './duration.ts';
export * from './field-error.ts';
export { type FieldRequirement, formatFieldSelector, parseFieldSelector } from './field-selector.ts';
export { intOrPercent } from './int-or-percent.ts';
export { JsonSyntaxError, type ParsedDocument, parseJson } from './json.ts';
export {
  compileLabelSelector,
  formatLabelSelector,
  type LabelRequirement,
  type LabelSelectorObject,
  labelSelectorMatches,
  type ParsedLabelSelector,
  parseLabelSelector,
  requirementsOf,
} from './label-selector.ts';
export * from './names.ts';
export * from './object.ts';
export {
  decodeProtobuf,
  decodeProtobufMessage,
  decodeProtobufObject,
  encodeProtobuf,
  encodeProtobufList,
  encodeProtobufMessage,
  encodeProtobufWatchEvent,
  hasProtobufMagic,
  type ProtobufEnvelope,
  type ProtobufListMeta,
} from './protobuf/envelope.ts';
export { ProtobufError } from './protobuf/wire-reader.ts';
export { parseQuantity, Quantity, QuantityError, type QuantityFormat } from './quantity.ts';
export * from './request.ts';
export type * from './schema.ts';
export * from './status-error.ts';
export * from './patch/index.ts';
export { formatMicroTimestamp, formatTimestamp, parseTimestamp } from './timestamp.ts';
export * from './apply/index.ts';
export { parseYaml, printYaml, YamlSyntaxError } from './yaml.ts';
export * from './structural/index.ts';
