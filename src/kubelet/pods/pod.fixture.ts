/** Pods for tests: only what a test cares about is said. */
import type { coreV1 } from '#api';
import type { RuntimeContainer, RuntimePod } from './runtime-pod.ts';

export function testPod(spec: Partial<coreV1.PodSpec> = {}, extra: Partial<coreV1.Pod> = {}): coreV1.Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    spec: { restartPolicy: 'Always', containers: [{ name: 'app', image: 'app:1' }], ...spec },
    status: {},
    ...extra,
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'uid-web',
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...extra.metadata,
    },
  };
}

/** Made in the order given: the last one is the newest. */
export function testRuntime(...containers: readonly Partial<RuntimeContainer>[]): RuntimePod {
  const made = containers.map((container, index) =>
    testContainer({ createdAt: BigInt(index + 1), ...container }),
  );
  return {
    uid: 'uid-web',
    ips: ['10.244.0.2'],
    sandboxes: [
      {
        id: 'sandbox',
        metadata: { name: 'web', namespace: 'default', uid: 'uid-web', attempt: 0 },
        state: 'SANDBOX_READY',
        createdAt: 0n,
        labels: {},
        annotations: {},
        ips: ['10.244.0.2'],
      },
    ],
    containers: made.reverse(),
  };
}

export function testContainer(container: Partial<RuntimeContainer>): RuntimeContainer {
  const name = container.name ?? 'app';
  return {
    id: `id-${name}-${container.restartCount ?? 0}`,
    sandboxId: 'sandbox',
    name,
    image: `${name}:1`,
    imageRef: `${name}@sha256:1`,
    hash: '',
    restartCount: 0,
    state: 'running',
    createdAt: 1n,
    startedAt: 1_767_225_600_000_000_000n,
    finishedAt: 1_767_225_660_000_000_000n,
    exitCode: 0,
    reason: '',
    message: '',
    logPath: `/logs/${name}`,
    resources: {},
    ...container,
  };
}
