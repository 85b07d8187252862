import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#machinery';
import { seededRandom, VirtualClock } from '#testing';
import { AdmissionHarness } from '../admission.fixture.ts';
import { podSecurity } from './plugin.ts';
import { evaluate, type LevelVersion } from './policy.ts';
import type { PodLike } from './check.ts';

const namespace = 'default';
const LABEL = 'pod-security.kubernetes.io/';
const baseline: LevelVersion = { level: 'baseline', minor: Infinity };
const restricted: LevelVersion = { level: 'restricted', minor: Infinity };
const hardened = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};

function pod(spec: object, annotations: Record<string, string> = {}): PodLike {
  return { annotations, spec: { containers: [{ name: 'c' }], ...spec } };
}
const container = (securityContext: object, more: object = {}) =>
  pod({ containers: [{ name: 'c', securityContext, ...more }] });

const BASELINE_CASES: readonly (readonly [string, PodLike, string])[] = [
  [
    'app armor',
    pod(
      { securityContext: { appArmorProfile: { type: 'Unconfined' } } },
      { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' },
    ),
    'forbidden AppArmor profiles (pod and annotation must not set AppArmor profile type to "Unconfined", "container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
  ],
  [
    'capabilities',
    container({ capabilities: { add: ['NET_RAW', 'KILL', 'SYS_ADMIN'] } }),
    'non-default capabilities (container "c" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    'host namespaces',
    pod({ hostNetwork: true, hostIPC: true }),
    'host namespaces (hostNetwork=true, hostIPC=true)',
  ],
  [
    'host paths',
    pod({
      volumes: [
        { name: 'a', hostPath: { path: '/' } },
        { name: 'b', hostPath: { path: '/' } },
      ],
    }),
    'hostPath volumes (volumes "a", "b")',
  ],
  [
    'host ports',
    container({}, { ports: [{ hostPort: 80 }, { hostPort: 443 }, { containerPort: 1 }] }),
    'hostPort (container "c" uses hostPorts 443, 80)',
  ],
  [
    'hosts of probes and hooks',
    container(
      {},
      { livenessProbe: { httpGet: { host: 'b' } }, lifecycle: { preStop: { tcpSocket: { host: 'a' } } } },
    ),
    'probe or lifecycle host (container "c" uses probe or lifecycle hosts "a", "b")',
  ],
  [
    'privileged',
    pod({
      initContainers: [{ name: 'i', securityContext: { privileged: true } }],
      containers: [{ name: 'c', securityContext: { privileged: true } }],
    }),
    'privileged (containers "i", "c" must not set securityContext.privileged=true)',
  ],
  [
    'proc mount',
    container({ procMount: 'Unmasked' }),
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    'SELinux',
    pod({
      securityContext: { seLinuxOptions: { type: 'spc_t', user: 'u' } },
      containers: [{ name: 'c', securityContext: { seLinuxOptions: { role: 'r' } } }],
    }),
    'seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)',
  ],
  [
    'seccomp',
    container({ seccompProfile: { type: 'Unconfined' } }),
    'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    'sysctls',
    pod({ securityContext: { sysctls: [{ name: 'kernel.msgmax' }, { name: 'net.ipv4.tcp_rmem' }] } }),
    'forbidden sysctls (kernel.msgmax)',
  ],
  [
    'host processes',
    container({ windowsOptions: { hostProcess: true } }),
    'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
  ],
];

for (const [name, bad, details] of BASELINE_CASES) {
  test(`baseline forbids ${name}`, () => {
    assert.equal(evaluate(baseline, bad).details, details);
    assert.equal(evaluate({ level: 'privileged', minor: Infinity }, bad).allowed, true);
  });
}

test('baseline allows what asks for nothing special', () => {
  assert.equal(evaluate(baseline, pod({})).allowed, true);
});

test('restricted wants every container hardened', () => {
  assert.equal(
    evaluate(restricted, pod({})).details,
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  assert.equal(evaluate(restricted, container(hardened)).allowed, true);
  const { runAsNonRoot, seccompProfile, ...rest } = hardened;
  const byPod = {
    securityContext: { runAsNonRoot, seccompProfile },
    containers: [{ name: 'c', securityContext: rest }],
  };
  assert.equal(evaluate(restricted, pod(byPod)).allowed, true);
});

test('restricted limits capabilities, volumes and users', () => {
  const add = { ...hardened, capabilities: { drop: ['ALL'], add: ['CHOWN', 'NET_BIND_SERVICE'] } };
  assert.equal(
    evaluate(restricted, container(add)).details,
    'unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add)',
  );
  assert.equal(
    evaluate(
      restricted,
      pod({
        containers: [{ name: 'c', securityContext: hardened }],
        volumes: [
          { name: 'v', hostPath: {} },
          { name: 'n', nfs: {} },
          { name: 'e', emptyDir: {} },
        ],
      }),
    ).details,
    'restricted volume types (volumes "v", "n" use restricted volume types "hostPath", "nfs")',
  );
  const root = { ...hardened, runAsUser: 0, runAsNonRoot: false };
  assert.equal(
    evaluate(restricted, container(root)).details,
    'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false), runAsUser=0 (container "c" must not set runAsUser=0)',
  );
});

test('in a user namespace root and unmasked proc are nobody’s business, but restricted keeps the masks', () => {
  const unmasked = {
    containers: [{ name: 'c', securityContext: { procMount: 'Unmasked' } }],
    hostUsers: false,
  };
  assert.equal(evaluate(baseline, pod(unmasked)).allowed, true);
  assert.equal(evaluate({ level: 'baseline', minor: 34 }, pod(unmasked)).allowed, false);
  const root = { ...hardened, runAsNonRoot: false, runAsUser: 0 };
  assert.equal(
    evaluate(restricted, pod({ containers: [{ name: 'c', securityContext: root }], hostUsers: false }))
      .allowed,
    true,
  );
});

test('a policy pinned to an older version checks what that version did', () => {
  const probe = container({}, { livenessProbe: { httpGet: { host: 'x' } } });
  assert.equal(evaluate({ level: 'baseline', minor: 33 }, probe).allowed, true);
  assert.equal(evaluate({ level: 'baseline', minor: 34 }, probe).allowed, false);
  assert.equal(evaluate({ level: 'restricted', minor: 0 }, container({ runAsNonRoot: true })).allowed, true);
  assert.equal(evaluate({ level: 'baseline', minor: 99 }, pod({ hostPID: true })).allowed, false);
});

function world(labels: Record<string, string>) {
  const h = new AdmissionHarness({ clock: new VirtualClock(), random: seededRandom(1) }, (options) => [
    podSecurity(options),
  ]);
  h.put('namespaces', namespace, {}, { labels });
  return h;
}
const podObject = (spec: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace },
  spec: { containers: [{ name: 'c', image: 'a' }], ...spec },
});

test('a pod that violates its namespace’s policy is refused', async () => {
  const h = world({ [`${LABEL}enforce`]: 'baseline' });
  const write = { resource: 'pods', namespace };
  await assert.rejects(h.admit({ ...write, object: podObject({ hostNetwork: true }) }), {
    code: 403,
    message:
      'pods "web" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
  });
  assert.ok(await h.admit({ ...write, object: podObject({}) }));
});

test('a warning level only warns, of pods and of what will make them', async () => {
  const h = world({ [`${LABEL}warn`]: 'baseline', [`${LABEL}warn-version`]: 'v1.30' });
  await h.admit({ resource: 'pods', namespace, object: podObject({ hostPID: true }) });
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace },
    spec: { template: { metadata: {}, spec: { containers: [], hostIPC: true } } },
  };
  await h.admit({ resource: 'deployments.apps', namespace, object: deployment });
  assert.deepEqual(h.warnings, [
    'would violate PodSecurity "baseline:v1.30": host namespaces (hostPID=true)',
    'would violate PodSecurity "baseline:v1.30": host namespaces (hostIPC=true)',
  ]);
});

test('what enforces on pods warns at their controllers', async () => {
  const h = world({ [`${LABEL}enforce`]: 'baseline' });
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'web', namespace },
    spec: { template: { metadata: {}, spec: { containers: [], hostIPC: true } } },
  };
  assert.ok(await h.admit({ resource: 'jobs.batch', namespace, object: job }));
  assert.deepEqual(h.warnings, [
    'would violate PodSecurity "baseline:latest": host namespaces (hostIPC=true)',
  ]);
});

test('an update is looked at only when an image or an ephemeral container changes', async () => {
  const h = world({ [`${LABEL}enforce`]: 'baseline' });
  const old = podObject({ hostPID: true });
  const update = { resource: 'pods', operation: 'UPDATE', namespace, oldObject: old } as const;
  assert.ok(
    await h.admit({ ...update, object: { ...old, metadata: { ...old.metadata, labels: { a: 'b' } } } }),
  );
  await assert.rejects(
    h.admit({ ...update, object: podObject({ hostPID: true, containers: [{ name: 'c', image: 'b' }] }) }),
    { code: 403 },
  );
  assert.ok(await h.admit({ ...update, resource: 'pods/status', object: podObject({ hostPID: true }) }));
});

test('labels of a namespace must be readable', async () => {
  const h = world({});
  const labels = { [`${LABEL}enforce`]: 'strict', [`${LABEL}warn-version`]: '1.30' };
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x', labels } };
  const message = `Namespace "x" is invalid: [metadata.labels[${LABEL}enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, metadata.labels[${LABEL}warn-version]: Invalid value: "1.30": must be "latest" or "v1.x"]`;
  await assert.rejects(h.admit({ resource: 'namespaces', namespace: 'x', object }), { code: 422, message });
  const update = { resource: 'namespaces', operation: 'UPDATE', namespace: 'x', object } as const;
  assert.ok(await h.admit({ ...update, oldObject: object }));
});

test('making a policy stricter tells which pods would not get in any more', async () => {
  const h = world({});
  for (const [name, spec] of Object.entries({
    b: { hostPID: true },
    a: { hostPID: true },
    c: { hostNetwork: true, containers: [{ name: 'c', securityContext: { privileged: true } }] },
    ok: {},
  })) {
    h.put('pods', name, { spec: podObject(spec)['spec'] }, { namespace });
  }
  const ns = (labels: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels },
  });
  await h.admit({
    resource: 'namespaces',
    operation: 'UPDATE',
    namespace,
    name: namespace,
    object: ns({ [`${LABEL}enforce`]: 'baseline' }),
    oldObject: ns({}),
  });
  assert.deepEqual(h.warnings, [
    'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
    'a (and 1 other pod): host namespaces',
    'c: host namespaces, privileged',
  ]);
});
