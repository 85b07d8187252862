export * from './controller.ts';
export * from './expectations.ts';
export * from './indexes.ts';
export * from './ownership.ts';
export * from './run-controllers.ts';
export * from './served-resources.ts';
export * from './slow-start.ts';
