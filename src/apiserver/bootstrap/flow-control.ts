/** The default priority levels of API Priority and Fairness and the schemas that sort requests into them. */
import type { flowcontrolV1 } from '#api';
import type { KubeObject } from '#machinery';

/** As in upstream's objects: the spec of an annotated one follows the defaults of the running version. */
const metadata = (name: string) => ({
  name,
  annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' },
});

function priorityLevel(name: string, spec: flowcontrolV1.PriorityLevelConfigurationSpec): KubeObject {
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'PriorityLevelConfiguration',
    metadata: metadata(name),
    spec,
  };
}

const queueing = (shares: number, lendablePercent: number, queues: number, handSize = 6) => ({
  type: 'Limited',
  limited: {
    nominalConcurrencyShares: shares,
    limitResponse: { type: 'Queue', queuing: { queues, handSize, queueLengthLimit: 50 } },
    lendablePercent,
  },
});

function priorityLevels(): readonly KubeObject[] {
  return [
    priorityLevel('exempt', { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
    priorityLevel('catch-all', {
      type: 'Limited',
      limited: { nominalConcurrencyShares: 5, limitResponse: { type: 'Reject' }, lendablePercent: 0 },
    }),
    priorityLevel('system', queueing(30, 33, 64)),
    priorityLevel('node-high', queueing(40, 25, 64)),
    priorityLevel('leader-election', queueing(10, 0, 16, 4)),
    priorityLevel('workload-high', queueing(40, 50, 128)),
    priorityLevel('workload-low', queueing(100, 90, 128)),
    priorityLevel('global-default', queueing(20, 50, 128)),
  ];
}

interface FlowSchemaFacts {
  readonly name: string;
  readonly level: string;
  readonly precedence: number;
  readonly distinguisher?: 'ByUser' | 'ByNamespace';
  readonly rule: flowcontrolV1.PolicyRulesWithSubjects;
}

const group = (name: string): flowcontrolV1.Subject => ({ kind: 'Group', group: { name } });
const user = (name: string): flowcontrolV1.Subject => ({ kind: 'User', user: { name } });
const KUBE_SYSTEM_ACCOUNTS: flowcontrolV1.Subject = {
  kind: 'ServiceAccount',
  serviceAccount: { namespace: 'kube-system', name: '*' },
};
const EVERYBODY = [group('system:unauthenticated'), group('system:authenticated')];

const everything = (
  ...subjects: readonly flowcontrolV1.Subject[]
): flowcontrolV1.PolicyRulesWithSubjects => ({
  subjects,
  resourceRules: [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] },
  ],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
});

const schemas: readonly FlowSchemaFacts[] = [
  { name: 'exempt', level: 'exempt', precedence: 1, rule: everything(group('system:masters')) },
  {
    name: 'probes',
    level: 'exempt',
    precedence: 2,
    rule: {
      subjects: EVERYBODY,
      nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
    },
  },
  {
    name: 'system-leader-election',
    level: 'leader-election',
    precedence: 100,
    distinguisher: 'ByUser',
    rule: {
      subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), KUBE_SYSTEM_ACCOUNTS],
      resourceRules: [
        {
          verbs: ['get', 'create', 'update'],
          apiGroups: ['coordination.k8s.io'],
          resources: ['leases'],
          namespaces: ['*'],
        },
      ],
    },
  },
  {
    name: 'system-node-high',
    level: 'node-high',
    precedence: 400,
    distinguisher: 'ByUser',
    rule: {
      subjects: [group('system:nodes')],
      resourceRules: [
        {
          verbs: ['*'],
          apiGroups: [''],
          resources: ['nodes', 'nodes/status'],
          clusterScope: true,
          namespaces: ['*'],
        },
        { verbs: ['*'], apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] },
      ],
    },
  },
  {
    name: 'system-nodes',
    level: 'system',
    precedence: 500,
    distinguisher: 'ByUser',
    rule: everything(group('system:nodes')),
  },
  ...['kube-controller-manager', 'kube-scheduler'].map(
    (name): FlowSchemaFacts => ({
      name,
      level: 'workload-high',
      precedence: 800,
      distinguisher: 'ByNamespace',
      rule: everything(user(`system:${name}`)),
    }),
  ),
  {
    name: 'kube-system-service-accounts',
    level: 'workload-high',
    precedence: 900,
    distinguisher: 'ByNamespace',
    rule: everything(KUBE_SYSTEM_ACCOUNTS),
  },
  {
    name: 'service-accounts',
    level: 'workload-low',
    precedence: 9000,
    distinguisher: 'ByUser',
    rule: everything(group('system:serviceaccounts')),
  },
  {
    name: 'global-default',
    level: 'global-default',
    precedence: 9900,
    distinguisher: 'ByUser',
    rule: everything(...EVERYBODY),
  },
  {
    name: 'catch-all',
    level: 'catch-all',
    precedence: 10_000,
    distinguisher: 'ByUser',
    rule: everything(...EVERYBODY),
  },
];

function flowSchema({ name, level, precedence, distinguisher, rule }: FlowSchemaFacts): KubeObject {
  const spec: flowcontrolV1.FlowSchemaSpec = {
    priorityLevelConfiguration: { name: level },
    matchingPrecedence: precedence,
    ...(distinguisher === undefined ? {} : { distinguisherMethod: { type: distinguisher } }),
    rules: [rule],
  };
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: metadata(name),
    spec,
  };
}

/** Priority levels first: a schema names one. */
export function flowControlDefaults(): readonly KubeObject[] {
  return [...priorityLevels(), ...schemas.map(flowSchema)];
}
