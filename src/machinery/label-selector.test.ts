import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compileLabelSelector,
  formatLabelSelector,
  labelSelectorMatches,
  parseLabelSelector,
} from './label-selector.ts';
import { isStatusError } from './status-error.ts';

const LABELS = { app: 'web', tier: 'front', weight: '5' };
const matches = (text: string): boolean => labelSelectorMatches(parseLabelSelector(text), LABELS);

test('a selector matches when all its requirements hold', () => {
  for (const text of [
    '',
    'app=web',
    'app==web,tier!=back',
    'app in (web, api)',
    'app notin (api)',
    'app',
    '!gone',
  ]) {
    assert.equal(matches(text), true, text);
  }
  for (const text of [
    'app=api',
    'app!=web',
    'app notin (web)',
    'gone',
    '!app',
    'app=web,tier=back',
    'gone in (a)',
  ]) {
    assert.equal(matches(text), false, text);
  }
  assert.equal(matches('gone!=x'), true, 'a label that is not there differs from every value');
  assert.equal(matches('weight>4,weight<6'), true);
  assert.equal(matches('app>4'), false, 'a label that is no number is not compared');
});

test('a selector prints sorted, with its values sorted', () => {
  assert.equal(formatLabelSelector(parseLabelSelector('x in (b,a,,b), !a ,m=')), '!a,m=,x in (,a,b)');
  assert.equal(formatLabelSelector({ matchLabels: { b: '2', a: '1' } }), 'a=1,b=2');
  const matchExpressions = [
    { key: 'k', operator: 'NotIn', values: ['b', 'a'] },
    { key: 'e', operator: 'Exists' },
  ];
  assert.equal(formatLabelSelector({ matchExpressions }), 'e,k notin (a,b)');
});

test('what cannot be parsed is refused in upstream words', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    [',', "found ',', expected: !, identifier, or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    [
      'a>b',
      'unable to parse requirement: values[0]: Invalid value: "b": ' +
        "for 'Gt', 'Lt' operators, the value must be an integer",
    ],
    [
      'a=-b',
      'unable to parse requirement: values[0][a]: Invalid value: "-b": a valid label must be an empty string or ' +
        "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
        "character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
        "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseLabelSelector(text),
      (e) => isStatusError(e) && e.code === 400 && e.message === message,
      text,
    );
  }
});

test('no selector object selects nothing, an empty one everything', () => {
  assert.equal(compileLabelSelector(undefined)(LABELS), false);
  assert.equal(compileLabelSelector({})(undefined), true);
  assert.equal(compileLabelSelector({ matchLabels: { app: 'web' } })(LABELS), true);
  assert.throws(() => compileLabelSelector({ matchExpressions: [{ key: 'a', operator: 'Is' }] }), {
    message: '"Is" is not a valid label selector operator',
  });
});

test('a label named like a property of every object is still only a label', () => {
  assert.equal(labelSelectorMatches(parseLabelSelector('constructor'), {}), false);
});
