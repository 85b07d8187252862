import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuntimeError } from '#cri';
import { availableCapabilities, containerCapabilities } from './capabilities.ts';
import { bindOptions, commandLine, specResources } from './runtime-spec.ts';
import { defaultSeccomp } from './seccomp-profile.ts';
import { signalNumber } from './signals.ts';

const image = { Entrypoint: ['entry'], Cmd: ['default'] };

for (const [command, args, line] of [
  [[], [], ['entry', 'default']],
  [[], ['arg'], ['entry', 'arg']],
  [['own'], [], ['own']],
  [['own'], ['arg'], ['own', 'arg']],
] as const) {
  test(`command [${command}] and args [${args}] over an image's entrypoint and arguments are [${line}]`, () => {
    assert.deepEqual(commandLine({ command, args }, image), line);
  });
}

test('without any command there is nothing to run', () => {
  assert.throws(
    () => commandLine({ command: [], args: [] }, {}),
    new RuntimeError('INVALID_ARGUMENT', 'no command specified'),
  );
});

test('resources that are not asked for are not limited', () => {
  assert.deepEqual(specResources({}), { cpu: {} });
  assert.deepEqual(
    specResources({ cpuQuota: -1, cpuPeriod: 100_000, cpuShares: 2, memoryLimitBytes: 0, cpusetCpus: '0-1' }),
    {
      cpu: { quota: -1, period: 100_000, shares: 2, cpus: '0-1' },
    },
  );
});

test('mounts are private unless the pod asks to see or to share what is mounted later', () => {
  assert.deepEqual(bindOptions({ readonly: true, propagation: 'PRIVATE' }), ['rbind', 'rprivate', 'ro']);
  assert.deepEqual(bindOptions({ readonly: false, propagation: 'HOST_TO_CONTAINER' }), [
    'rbind',
    'rslave',
    'rw',
  ]);
  assert.deepEqual(bindOptions({ readonly: false, propagation: 'BIDIRECTIONAL' }), [
    'rbind',
    'rshared',
    'rw',
  ]);
});

test('capabilities the machine lacks are left out, ALL adds and drops all', () => {
  const available = availableCapabilities('CapBnd:\t00000000a80425fb\n');
  assert.equal(available.length, 14);
  const of = (add: string[], drop: string[]): readonly string[] =>
    containerCapabilities({ add, drop }, false, available);
  assert.deepEqual(of(['SYS_RESOURCE', 'cap_chown'], ['ALL']), ['CAP_CHOWN']);
  assert.deepEqual(
    of(['ALL'], ['KILL']),
    available.filter((name) => name !== 'CAP_KILL'),
  );
  assert.deepEqual(containerCapabilities({ add: [], drop: ['ALL'] }, true, available), available);
});

test('the default seccomp profile grows with the capabilities', () => {
  const names = (capabilities: string[]): Set<string> =>
    new Set(
      defaultSeccomp(capabilities, 'x64').syscalls?.flatMap((rule) =>
        rule.action === 'SCMP_ACT_ALLOW' && rule.args === undefined ? rule.names : [],
      ),
    );
  const plain = names([]);
  assert.ok(plain.has('read') && plain.has('arch_prctl'));
  for (const name of [
    'mount',
    'setns',
    'clone',
    'clone3',
    'bpf',
    'reboot',
    'io_uring_setup',
    'keyctl',
    'userfaultfd',
  ])
    assert.ok(!plain.has(name), name);
  const admin = names(['CAP_SYS_ADMIN']);
  for (const name of ['mount', 'setns', 'clone', 'clone3', 'unshare']) assert.ok(admin.has(name), name);
  assert.ok(names(['CAP_SYS_TIME']).has('clock_settime'));
});

for (const [name, number] of [
  ['SIGTERM', 15],
  ['kill', 9],
  ['15', 15],
  ['SIGRTMIN+3', 37],
  ['RTMAX-1', 63],
  ['SIGNOPE', undefined],
  ['0', undefined],
  ['65', undefined],
  ['SIGRTMIN+40', undefined],
] as const) {
  test(`signal ${name} is ${number}`, () => assert.equal(signalNumber(name), number));
}
