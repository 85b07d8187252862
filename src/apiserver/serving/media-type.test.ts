import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptedMediaTypes, bodyFormat, negotiate } from './media-type.ts';

test('what a client accepts is read in order of preference', () => {
  assert.deepEqual(acceptedMediaTypes('application/yaml;q=0.5, application/json, text/html'), [
    { format: 'json', pretty: false },
    { format: 'yaml', pretty: false },
  ]);
  assert.deepEqual(acceptedMediaTypes('application/json;as=Table;v=v1;g=meta.k8s.io,*/*'), [
    { format: 'json', pretty: false, as: 'Table', group: 'meta.k8s.io', version: 'v1' },
    { format: 'json', pretty: false },
  ]);
  assert.deepEqual(acceptedMediaTypes(undefined), [{ format: 'json', pretty: false }]);
});

test('what nobody can serve is refused with 406 and 415 in the words of upstream', () => {
  assert.throws(() => negotiate('text/plain', () => true), {
    code: 406,
    message:
      '406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, ' +
      'application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch',
  });
  assert.throws(() => negotiate('application/json;as=Table;g=meta.k8s.io;v=v1', () => false), {
    code: 406,
    message:
      'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  });
  assert.throws(() => bodyFormat('text/plain', true), {
    code: 415,
    message:
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  });
  assert.equal(bodyFormat('application/json; charset=utf-8', true), 'json');
  assert.equal(bodyFormat(undefined, true), 'json');
});
