import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V2Document } from './openapi-v2.ts';
import { openApiV2Protobuf } from './openapi-v2-protobuf.ts';
import { Message } from './protobuf-message.ts';

const document: V2Document = {
  swagger: '2.0',
  info: { title: 'T', version: '1' },
  paths: {
    '/a': {
      get: {
        description: 'd',
        consumes: ['*/*'],
        produces: ['application/json'],
        schemes: ['https'],
        tags: ['t'],
        operationId: 'o',
        parameters: [{ name: 'q', in: 'query', type: 'string', uniqueItems: true }],
        responses: { 200: { description: 'OK', schema: { $ref: '#/definitions/A' } } },
        'x-kubernetes-action': 'get',
      },
      parameters: [{ name: 'n', in: 'path', required: true, type: 'string' }],
    },
  },
  definitions: {
    A: {
      type: 'object',
      required: ['x'],
      properties: { x: { type: 'integer', format: 'int32', minimum: 0.5, enum: [1] } },
      additionalProperties: false,
      'x-kubernetes-map-type': 'atomic',
    },
  },
  securityDefinitions: {},
  security: [{ BearerToken: [] }],
};

test('The document is written in the field numbers of gnostic', () => {
  const any = (yaml: string): Message => new Message().text(2, yaml);
  const named = (name: string, value: Message): Message => new Message().text(1, name).message(2, value);
  const wrap = (field: number, message: Message): Message => new Message().message(field, message);
  const queryParameter = new Message().text(2, 'query').text(4, 'q').text(6, 'string').presentFlag(20, true);
  const pathParameter = new Message().presentFlag(1, true).text(2, 'path').text(4, 'n').text(5, 'string');
  const parameter = (field: number, message: Message): Message => wrap(1, wrap(2, wrap(field, message)));
  const response = new Message().text(1, 'OK').message(2, wrap(1, new Message().text(1, '#/definitions/A')));
  const operation = new Message()
    .texts(1, ['t'])
    .text(3, 'd')
    .text(5, 'o')
    .texts(6, ['application/json'])
    .texts(7, ['*/*'])
    .message(8, parameter(3, queryParameter))
    .message(9, wrap(1, named('200', wrap(1, response))))
    .texts(10, ['https'])
    .message(13, named('x-kubernetes-action', any('"get"')));
  const x = new Message()
    .text(2, 'int32')
    .double(9, 0.5)
    .message(20, any('1'))
    .message(22, new Message().texts(1, ['integer']));
  const a = new Message()
    .texts(19, ['x'])
    .message(21, new Message().presentFlag(2, false))
    .message(22, new Message().texts(1, ['object']))
    .message(25, wrap(1, named('x', x)))
    .message(31, named('x-kubernetes-map-type', any('"atomic"')));
  const expected = new Message()
    .text(1, '2.0')
    .message(2, new Message().text(1, 'T').text(2, '1'))
    .message(
      8,
      wrap(2, named('/a', new Message().message(2, operation).message(9, parameter(4, pathParameter)))),
    )
    .message(9, wrap(1, named('A', a)))
    .message(12, wrap(1, named('BearerToken', new Message())))
    .message(13, new Message());
  assert.deepEqual(openApiV2Protobuf(document), expected.toBuffer());
});

test('A message is tag, length and bytes', () => {
  const message = new Message().text(1, 'é').integer(2, 300).message(3, new Message().flag(1, true));
  assert.equal(message.toBuffer().toString('hex'), '0a02c3a910ac021a020801');
});
