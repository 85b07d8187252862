/** Schemas of custom resources: whether one may be defined, what it compiles to, and which values satisfy it. */
export { type CompileOptions, compileStructuralSchema, definitionOf } from './compile.ts';
export type { SchemaDefinition, ValidationRule } from './definition.ts';
export { validateStructuralSchemaDefinition } from './definition-rules.ts';
export { pruneForbiddenNulls } from './prune-nulls.ts';
export { type ValueValidationOptions, validateCustomValue } from './value-validation.ts';
