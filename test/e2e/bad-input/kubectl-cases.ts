/** Mistakes people make, as kubectl commands. What upstream says to each is in `upstream-answers.json`. */

export interface KubectlCase {
  readonly title: string;
  readonly args: readonly string[];
  readonly input?: string;
}

const apply = (title: string, input: string, ...options: readonly string[]): KubectlCase => ({
  title,
  args: ['apply', ...options, '-f', '-'],
  input,
});
const create = (title: string, input: string, ...options: readonly string[]): KubectlCase => ({
  title,
  args: ['create', ...options, '-f', '-'],
  input,
});
const run = (title: string, ...args: readonly string[]): KubectlCase => ({ title, args });

interface DeploymentParts {
  readonly name?: string;
  readonly spec?: string;
  readonly selector?: string;
  readonly container?: string;
  readonly pod?: string;
}

const deployment = ({
  name = 'web',
  spec = '',
  selector = 'web',
  container = '',
  pod = '',
}: DeploymentParts): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: 0
  selector: {matchLabels: {app: ${selector}}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: k8ts.local/base${container}}]
${pod}
${spec}
`;

const object = (apiVersion: string, kind: string, name: string, rest: string): string => `
apiVersion: ${apiVersion}
kind: ${kind}
metadata: {name: ${name}}
${rest}
`;

const pod = (name: string, spec: string): string =>
  object('v1', 'Pod', name, `spec: {schedulingGates: [{name: test.k8ts/never}], ${spec}}`);

const CONTAINER = 'containers: [{name: a, image: k8ts.local/base}]';

const unknownFields: readonly KubectlCase[] = [
  apply('an unknown field', deployment({ spec: '  replica: 2' })),
  apply(
    'an unknown field, warned of',
    deployment({ name: 'warned', spec: '  replica: 2' }),
    '--validate=warn',
  ),
  apply(
    'an unknown field, ignored',
    deployment({ name: 'ignored', spec: '  replica: 2' }),
    '--validate=ignore',
  ),
  apply(
    'unknown fields deep inside',
    deployment({ container: ', imagePullPolice: Never, ports: [{port: 80}]' }),
  ),
  apply(
    'a duplicate field',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: twice}\ndata: {a: "1"}\ndata: {b: "2"}\n',
  ),
  create('an unknown field, created', deployment({ spec: '  replica: 2' })),
  apply('an unknown field, server-side apply', deployment({ spec: '  replica: 2' }), '--server-side'),
];

const wrongTypes: readonly KubectlCase[] = [
  apply('a word for a number', deployment({}).replace('replicas: 0', 'replicas: two')),
  apply('a number for a word', object('v1', 'ConfigMap', 'number', 'data: {a: 1}')),
  apply('an object for a list', pod('object', 'containers: {name: a, image: b}')),
  apply('a list for an object', object('v1', 'ConfigMap', 'list', 'data: [a]')),
  apply('a word for an object', object('v1', 'ConfigMap', 'word', 'data: hello')),
  apply('a fraction for a whole number', deployment({}).replace('replicas: 0', 'replicas: 1.5')),
  apply(
    'a quantity that is none',
    pod('lots', 'containers: [{name: a, image: b, resources: {limits: {cpu: lots}}}]'),
  ),
  apply(
    'a port that is a word with spaces',
    object('v1', 'Service', 'port', 'spec: {ports: [{port: 80, targetPort: "a b"}]}'),
  ),
];

const yaml: readonly KubectlCase[] = [
  apply('a tab in YAML', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: tab\n'),
  apply('an unclosed brace', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: open\n'),
  apply('no kind', 'apiVersion: v1\nmetadata: {name: a}\n'),
  apply('no apiVersion', 'kind: ConfigMap\nmetadata: {name: a}\n'),
  apply('an unknown kind', object('v1', 'Confusion', 'a', '')),
  apply('an unknown group', object('apps.example/v1', 'Deployment', 'a', '')),
  apply('an old version', object('extensions/v1beta1', 'Deployment', 'a', '')),
  apply('text', 'hello\n'),
  apply('nothing', ''),
];

const names: readonly KubectlCase[] = [
  create('no name', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n'),
  apply('a name with capitals and underscores', object('v1', 'ConfigMap', 'Web_1', '')),
  apply(
    'a name that is too long for a Service',
    object('v1', 'Service', 's'.repeat(64), 'spec: {ports: [{port: 80}]}'),
  ),
  apply(
    'a Service name that starts with a digit',
    object('v1', 'Service', '1web', 'spec: {ports: [{port: 80}]}'),
  ),
  apply(
    'a label value with spaces',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: label, labels: {a: "b c"}}\n',
  ),
  apply(
    'a label key with two slashes',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: label, labels: {a/b/c: d}}\n',
  ),
  apply(
    'an annotation key with spaces',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: label, annotations: {"a b": d}}\n',
  ),
  create('a namespace that is not there', object('v1', 'ConfigMap', 'lost', ''), '-n', 'nowhere'),
  run('a pod name with a dot at its end', 'run', 'pod.', '--image=k8ts.local/base'),
];

const values: readonly KubectlCase[] = [
  apply('a selector that does not match the template', deployment({ selector: 'other' })),
  apply('negative replicas', deployment({}).replace('replicas: 0', 'replicas: -1')),
  apply('no selector', deployment({}).replace(/ {2}selector.*\n/, '')),
  apply('no containers', pod('none', 'containers: []')),
  apply('no containers at all', pod('none', 'restartPolicy: Always')),
  apply('containers of one name', pod('same', 'containers: [{name: a, image: b}, {name: a, image: c}]')),
  apply('a container without an image', pod('image', 'containers: [{name: a}]')),
  apply('a container without a name', pod('image', 'containers: [{image: a}]')),
  apply('a restart policy that is none', pod('restart', `restartPolicy: Sometimes, ${CONTAINER}`)),
  apply('a restart policy a Deployment cannot have', deployment({ pod: '      restartPolicy: Never' })),
  apply(
    'a pull policy that is none',
    pod('pull', 'containers: [{name: a, image: b, imagePullPolicy: Maybe}]'),
  ),
  apply(
    'a mount of a volume that is not there',
    pod('mount', 'containers: [{name: a, image: b, volumeMounts: [{name: c, mountPath: /c}]}]'),
  ),
  apply(
    'two volumes of one name',
    pod('volumes', `volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}], ${CONTAINER}`),
  ),
  apply(
    'a volume of two kinds',
    pod('volumes', `volumes: [{name: a, emptyDir: {}, hostPath: {path: /a}}], ${CONTAINER}`),
  ),
  apply(
    'a request above its limit',
    pod('request', 'containers: [{name: a, image: b, resources: {requests: {cpu: 2}, limits: {cpu: 1}}}]'),
  ),
  apply(
    'a container port out of range',
    pod('port', 'containers: [{name: a, image: b, ports: [{containerPort: 70000}]}]'),
  ),
  apply(
    'a probe that does nothing',
    pod('probe', 'containers: [{name: a, image: b, readinessProbe: {periodSeconds: 1}}]'),
  ),
  apply(
    'an environment name with an equals sign',
    pod('env', 'containers: [{name: a, image: b, env: [{name: "a=b", value: c}]}]'),
  ),
  apply(
    'a host port without the host network',
    pod(
      'host',
      'hostNetwork: true, containers: [{name: a, image: b, ports: [{containerPort: 80, hostPort: 81}]}]',
    ),
  ),
  apply(
    'a toleration that is none',
    pod('toleration', `tolerations: [{operator: Exists, value: a}], ${CONTAINER}`),
  ),
  apply('a Service without ports', object('v1', 'Service', 'ports', 'spec: {selector: {a: b}}')),
  apply('a Service port out of range', object('v1', 'Service', 'ports', 'spec: {ports: [{port: 70000}]}')),
  apply(
    'Service ports without names',
    object('v1', 'Service', 'ports', 'spec: {ports: [{port: 80}, {port: 81}]}'),
  ),
  apply(
    'a Service type that is none',
    object('v1', 'Service', 'type', 'spec: {type: Public, ports: [{port: 80}]}'),
  ),
  apply(
    'a ClusterIP outside the range',
    object('v1', 'Service', 'ip', 'spec: {clusterIP: 192.168.1.1x, ports: [{port: 80}]}'),
  ),
  apply(
    'a node port out of range',
    object('v1', 'Service', 'node', 'spec: {type: NodePort, ports: [{port: 80, nodePort: 80}]}'),
  ),
  apply('a Secret whose data is not base64', object('v1', 'Secret', 'secret', 'data: {a: "!!"}')),
  apply('a ConfigMap key with a slash', object('v1', 'ConfigMap', 'key', 'data: {a/b: c}')),
  apply(
    'a CronJob without a schedule people know',
    object(
      'batch/v1',
      'CronJob',
      'cron',
      `spec: {schedule: "whenever", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, ${CONTAINER}}}}}}`,
    ),
  ),
  apply(
    'a Job whose pods restart always',
    object('batch/v1', 'Job', 'job', `spec: {template: {spec: {restartPolicy: Always, ${CONTAINER}}}}`),
  ),
  apply(
    'an Ingress path without a type',
    object(
      'networking.k8s.io/v1',
      'Ingress',
      'ingress',
      'spec: {rules: [{http: {paths: [{path: /, backend: {service: {name: a, port: {number: 80}}}}]}}]}',
    ),
  ),
  apply(
    'a NetworkPolicy with a block that is none',
    object(
      'networking.k8s.io/v1',
      'NetworkPolicy',
      'policy',
      'spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]}',
    ),
  ),
  apply(
    'an autoscaler with its limits swapped',
    object(
      'autoscaling/v2',
      'HorizontalPodAutoscaler',
      'hpa',
      'spec: {minReplicas: 5, maxReplicas: 2, scaleTargetRef: {kind: Deployment, name: web}}',
    ),
  ),
  apply(
    'a disruption budget that says both',
    object(
      'policy/v1',
      'PodDisruptionBudget',
      'pdb',
      'spec: {minAvailable: 1, maxUnavailable: 1, selector: {matchLabels: {a: b}}}',
    ),
  ),
  apply(
    'a Role without verbs',
    object('rbac.authorization.k8s.io/v1', 'Role', 'role', 'rules: [{apiGroups: [""], resources: [pods]}]'),
  ),
  apply(
    'a StatefulSet whose pods do not match',
    object(
      'apps/v1',
      'StatefulSet',
      'set',
      `spec: {serviceName: a, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {${CONTAINER}}}}`,
    ),
  ),
  apply(
    'a claim without a size',
    object('v1', 'PersistentVolumeClaim', 'claim', 'spec: {accessModes: [ReadWriteOnce]}'),
  ),
  apply(
    'a custom resource definition with a wrong name',
    object(
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
      'things',
      'spec: {group: example.test, scope: Namespaced, names: {plural: things, kind: Thing}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}',
    ),
  ),
  apply(
    "a priority class that is the system's",
    object('scheduling.k8s.io/v1', 'PriorityClass', 'high', 'value: 2000000001'),
  ),
];

const conflicts: readonly KubectlCase[] = [
  apply('a first time', deployment({ name: 'twice' })),
  create('a second time', deployment({ name: 'twice' })),
  apply('an unchanged object', deployment({ name: 'twice' })),
  apply(
    'a selector changed',
    deployment({ name: 'twice', selector: 'other' }).replace('labels: {app: web}', 'labels: {app: other}'),
  ),
  apply('a Service', object('v1', 'Service', 'fixed', 'spec: {ports: [{port: 80}]}')),
  run(
    'a ClusterIP changed',
    'patch',
    'service',
    'fixed',
    '-p',
    '{"spec":{"clusterIP":"10.96.200.200","clusterIPs":["10.96.200.200"]}}',
  ),
  apply('a pod', pod('fixed', CONTAINER)),
  run(
    'a pod given another name for its container',
    'patch',
    'pod',
    'fixed',
    '--type=json',
    '-p',
    '[{"op":"replace","path":"/spec/containers/0/name","value":"b"}]',
  ),
  run(
    'a JSON patch of what is not there',
    'patch',
    'pod',
    'fixed',
    '--type=json',
    '-p',
    '[{"op":"remove","path":"/spec/nothing"}]',
  ),
  run(
    'a JSON patch whose test fails',
    'patch',
    'pod',
    'fixed',
    '--type=json',
    '-p',
    '[{"op":"test","path":"/metadata/name","value":"other"}]',
  ),
  run('a patch that changes the name', 'patch', 'pod', 'fixed', '-p', '{"metadata":{"name":"other"}}'),
  run('a patch that is not JSON', 'patch', 'pod', 'fixed', '-p', '{"metadata"'),
  run('a patch of the wrong type', 'patch', 'deployment', 'twice', '-p', '{"spec":{"replicas":"many"}}'),
  run(
    'a scale that expects other replicas',
    'scale',
    'deployment/twice',
    '--current-replicas=7',
    '--replicas=1',
  ),
  run(
    'a scale below zero',
    'patch',
    'deployment',
    'twice',
    '--subresource=scale',
    '--type=merge',
    '-p',
    '{"spec":{"replicas":-1}}',
  ),
  run(
    'an image set on a container that is not there',
    'set',
    'image',
    'deployment/twice',
    'nobody=k8ts.local/base',
  ),
  run('a label with a wrong value', 'label', 'pod', 'fixed', 'a=b c'),
  apply(
    'a Job',
    object(
      'batch/v1',
      'Job',
      'fixed',
      `spec: {suspend: true, template: {spec: {restartPolicy: Never, ${CONTAINER}}}}`,
    ),
  ),
  run(
    'a Job with other completions',
    'patch',
    'job',
    'fixed',
    '-p',
    '{"spec":{"completionMode":"Indexed","completions":2}}',
  ),
  apply(
    'a Secret that never changes',
    object('v1', 'Secret', 'fixed', 'immutable: true\nstringData: {a: b}'),
  ),
  run('an immutable Secret changed', 'patch', 'secret', 'fixed', '-p', '{"stringData":{"a":"c"}}'),
  run('a Secret of another type', 'patch', 'secret', 'fixed', '-p', '{"type":"other"}'),
  apply(
    'a first manager',
    object('v1', 'ConfigMap', 'managed', 'data: {a: "1"}'),
    '--server-side',
    '--field-manager=one',
  ),
  apply(
    'a second manager of the same field',
    object('v1', 'ConfigMap', 'managed', 'data: {a: "2"}'),
    '--server-side',
    '--field-manager=two',
  ),
];

const MEBIBYTE = 1024 * 1024;

const sizes: readonly KubectlCase[] = [
  create(
    'a ConfigMap above a mebibyte',
    object('v1', 'ConfigMap', 'big', `data: {a: ${'a'.repeat(1.5 * MEBIBYTE)}}`),
  ),
  create(
    'a request above three mebibytes',
    object('v1', 'ConfigMap', 'bigger', `data: {a: ${'a'.repeat(4 * MEBIBYTE)}}`),
  ),
  apply(
    'an annotation above 256 KiB',
    object('v1', 'ConfigMap', 'annotated', `data: {a: ${'a'.repeat(MEBIBYTE / 2)}}`),
  ),
];

const questions: readonly KubectlCase[] = [
  run('an unknown resource', 'get', 'confusions'),
  run('an object that is not there', 'get', 'pod', 'nobody'),
  run('objects of which one is not there', 'get', 'pod', 'fixed', 'nobody', '-o', 'name'),
  run('deleting what is not there', 'delete', 'pod', 'nobody'),
  run('a broken label selector', 'get', 'pods', '-l', 'a in (b'),
  run('a label selector with a wrong value', 'get', 'pods', '-l', 'a=b c'),
  run('a broken field selector', 'get', 'pods', '--field-selector', 'metadata.name'),
  run('a field that cannot be selected by', 'get', 'pods', '--field-selector', 'spec.color=red'),
  run('a field that a kind does not select by', 'get', 'configmaps', '--field-selector', 'data.a=b'),
  run('a raw path that is not there', 'get', '--raw', '/api/v7'),
  run('a raw object that is not there', 'get', '--raw', '/api/v1/namespaces/default/pods/nobody'),
  run('explaining what is not there', 'explain', 'pod.spec.colour'),
  run('the logs of nobody', 'logs', 'nobody'),
  run('a command in nobody', 'exec', 'nobody', '--', 'true'),
  run('the rollout of nobody', 'rollout', 'status', 'deployment/nobody'),
  run('exposing nobody', 'expose', 'deployment', 'nobody', '--port=80'),
  run('a token of nobody', 'create', 'token', 'nobody'),
  run('a token that lives too shortly', 'create', 'token', 'default', '--duration=5s'),
];

export const kubectlCases: readonly KubectlCase[] = [
  ...unknownFields,
  ...wrongTypes,
  ...yaml,
  ...names,
  ...values,
  ...conflicts,
  ...sizes,
  ...questions,
];
