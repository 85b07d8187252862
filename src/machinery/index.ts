/** What an object is, generically. Nothing here knows a built-in kind. */
export * from './field-error.ts';
export * from './object.ts';
export * from './request.ts';
export type * from './schema.ts';
export * from './status-error.ts';
export * from './patch/index.ts';
