import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { blockContains, formatIp, hasHostBits, isMappedIpv4, parseBlock, parseIp } from './ip-address.ts';

const canonical = (text: string): string | undefined => {
  const address = parseIp(text);
  return address === undefined ? undefined : formatIp(address);
};
const block = (text: string) => {
  const parsed = parseBlock(text);
  assert.ok(parsed, text);
  return parsed;
};

test('addresses are printed in their canonical form', () => {
  for (const [text, expected] of [
    ['10.0.0.1', '10.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ] as const) {
    assert.equal(canonical(text), expected, text);
  }
});

test('what is no address is none', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '-1.0.0.1',
    '1.2.3.4/8',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '::1.2.3',
    'fe80::1%eth0',
  ]) {
    assert.equal(parseIp(text), undefined, text);
  }
});

test('the canonical form of any address is read as the same address', () => {
  const ipv6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((bits) => ({ family: 6 as const, bits }));
  const ipv4 = fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((bits) => ({ family: 4 as const, bits }));
  fc.assert(
    fc.property(fc.oneof(ipv6, ipv4), (address) => {
      const text = formatIp(address);
      assert.deepEqual(parseIp(text), address);
      // The platform's own parser agrees on the form.
      if (address.family === 6 && !isMappedIpv4(address)) {
        assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`);
      }
    }),
  );
});

test('IPv4 addresses inside IPv6 are told from others', () => {
  for (const [text, expected] of [
    ['::ffff:1.2.3.4', true],
    ['::1.2.3.4', false],
    ['1.2.3.4', false],
  ] as const) {
    const address = parseIp(text);
    assert.ok(address);
    assert.equal(isMappedIpv4(address), expected, text);
  }
});

test('a block has a prefix that fits its family', () => {
  for (const text of [
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    'x/8',
    '10.0.0.0/-1',
  ]) {
    assert.equal(parseBlock(text), undefined, text);
  }
  assert.equal(hasHostBits(block('10.0.0.0/8')), false);
  assert.equal(hasHostBits(block('10.0.0.1/8')), true);
  assert.equal(hasHostBits(block('10.0.0.1/32')), false);
  assert.equal(hasHostBits(block('::1/0')), true);
});

test('a block contains the addresses and blocks under its prefix, of its own family', () => {
  const outer = block('10.0.0.0/8');
  const inner = parseIp('10.255.255.255');
  assert.ok(inner);
  assert.equal(blockContains(outer, inner), true);
  assert.equal(blockContains(outer, block('10.1.0.0/16')), true);
  assert.equal(blockContains(outer, outer), true);
  assert.equal(blockContains(outer, block('10.0.0.0/7')), false);
  assert.equal(blockContains(outer, block('11.0.0.0/16')), false);
  assert.equal(blockContains(outer, block('a00::/16')), false);
  assert.equal(blockContains(block('0.0.0.0/0'), inner), true);
});
