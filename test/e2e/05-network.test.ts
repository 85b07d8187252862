/** Services and DNS as pods and the host see them, on real pods. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { containerIdOf, pidOf, podsOf, webManifest, whyNoContainers } from '../tools/containers.ts';
import { eventually } from '../tools/eventually.ts';
import { type CommandResult, runCommand, TestCluster } from '../tools/test-cluster.ts';

const cluster = new TestCluster('e2e-net');

const SERVICES = `
apiVersion: v1
kind: Service
metadata: {name: port}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec:
  clusterIP: None
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: sticky}
spec:
  selector: {app: web}
  sessionAffinity: ClientIP
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec:
  type: NodePort
  selector: {app: nobody}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere}
spec: {type: ExternalName, externalName: web.default.svc.cluster.local}
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - {name: client, image: k8ts.local/base, command: [sleep, 1d]}
`;

const inPod = (script: string): Promise<CommandResult> =>
  cluster.kubectl(['exec', 'client', '--', 'sh', '-c', script]);

async function mustInPod(script: string): Promise<string> {
  const { code, stdout, stderr } = await inPod(script);
  assert.equal(code, 0, `${script}\n${stdout}${stderr}`);
  return stdout;
}

async function serviceField(name: string, path: string): Promise<string> {
  return cluster.mustKubectl(['get', 'service', name, '-o', `jsonpath={${path}}`]);
}

const webPods = async (): Promise<readonly string[]> =>
  (await podsOf(cluster, 'app=web')).map(({ metadata }) => metadata.name).toSorted();

/** A connection of its own for every request, as different clients have. */
async function ask(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5000) });
  return (await response.text()).trim();
}

/** How a host connection that must fail did fail; one that nobody answers fails as a timeout. */
async function failureOf(url: string): Promise<unknown> {
  try {
    await ask(url);
    return 'answered';
  } catch (error) {
    const cause = (error as Error).cause as { readonly code?: string } | undefined;
    return cause?.code ?? String(error);
  }
}

describe('services and DNS', { skip: whyNoContainers() ?? false }, () => {
  before(async () => {
    await cluster.up();
    await cluster.mustKubectl(['apply', '-f', '-'], {
      input: `${webManifest({ replicas: 3 })}---${SERVICES}`,
    });
    await cluster.mustKubectl(['wait', '--for=condition=Available', 'deployment/web', '--timeout=60s']);
    await cluster.mustKubectl(['wait', '--for=condition=Ready', 'pod/client', '--timeout=60s']);
  });
  after(() => cluster.clear());

  it('reaches a ClusterIP by name from a pod, and spreads over all endpoints', async () => {
    const pods = await webPods();
    const seen = await eventually('every endpoint answers', async () => {
      const answers = await mustInPod('for i in $(seq 24); do timeout 3 wget -qO- http://web; done');
      const names = [...new Set(answers.trim().split('\n'))].toSorted();
      assert.deepEqual(names, pods);
      return names;
    });
    assert.equal(seen.length, 3);
  });

  it('reaches a ClusterIP from the host', async () => {
    const answer = await ask(`http://${await serviceField('web', '.spec.clusterIP')}/`);
    assert.ok((await webPods()).includes(answer), answer);
  });

  it('reaches the API server from a pod, as the pod', async () => {
    const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
    const environment = await mustInPod('echo $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT');
    const [pod] = await podsOf(cluster, 'app=client');
    const pid = pod === undefined ? 0 : pidOf(cluster, containerIdOf(pod));
    const script = `fetch('https://${environment.trim()}/api/v1/namespaces/default/pods', { headers: { authorization:
      'Bearer ' + fs.readFileSync('/proc/${pid}/root${folder}/token') } }).then((r) => r.json()).then((s) => console.log(s.message))`;
    const { stdout, stderr } = await runCommand(
      'nsenter',
      [`--net=/proc/${pid}/ns/net`, process.execPath, '-e', script],
      { env: { NODE_EXTRA_CA_CERTS: `/proc/${pid}/root${folder}/ca.crt` } },
    );
    assert.equal(
      stdout.trim(),
      'pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default"',
      stderr,
    );
  });

  it('answers a NodePort on loopback, on the node address and from a pod', async () => {
    const port = await serviceField('port', '.spec.ports[0].nodePort');
    const [pod] = await podsOf(cluster, 'app=web');
    const pods = await webPods();
    assert.ok(pods.includes(await ask(`http://127.0.0.1:${port}/`)));
    assert.ok(pods.includes(await ask(`http://${pod?.status.hostIP}:${port}/`)));
    const fromPod = await mustInPod(`timeout 3 wget -qO- http://${pod?.status.hostIP}:${port}/`);
    assert.ok(pods.includes(fromPod.trim()));
  });

  it('gives a pod its own Service when it calls it', async () => {
    const [pod] = await webPods();
    const own = await serviceField('web', '.spec.clusterIP');
    const script = `for i in $(seq 40); do timeout 3 wget -qO- http://${own} || exit 1; done`;
    const answers = await cluster.mustKubectl(['exec', pod ?? '', '--', 'sh', '-c', script]);
    assert.ok(answers.includes(pod ?? '-'), 'one of the answers is its own');
  });

  it('answers A queries: a ClusterIP for a Service, every pod for a headless one', async () => {
    const web = await mustInPod('nslookup -type=a web.default.svc.cluster.local');
    assert.match(
      web,
      new RegExp(`Address: ${(await serviceField('web', '.spec.clusterIP')).replaceAll('.', '\\.')}\n`),
    );
    const headless = await mustInPod('nslookup -type=a headless.default.svc.cluster.local');
    const addresses = [...headless.matchAll(/Address: (\S+)\n/g)].map((match) => match[1] ?? '').toSorted();
    assert.deepEqual(
      addresses,
      (await podsOf(cluster, 'app=web')).map(({ status }) => status.podIP ?? '').toSorted(),
    );
  });

  it('answers SRV queries for named ports', async () => {
    const answer = await mustInPod('nslookup -type=srv _http._tcp.web.default.svc.cluster.local');
    assert.match(answer, /service = 0 100 80 web\.default\.svc\.cluster\.local/);
  });

  it('answers pointer queries for Service addresses', async () => {
    const answer = await mustInPod(`nslookup ${await serviceField('web', '.spec.clusterIP')}`);
    assert.match(answer, /name = web\.default\.svc\.cluster\.local/);
  });

  it('follows an ExternalName', async () => {
    assert.ok((await webPods()).includes((await mustInPod('timeout 3 wget -qO- http://elsewhere')).trim()));
  });

  it('fails quickly on names that nobody knows', async () => {
    const startedAt = performance.now();
    const { code, stdout } = await inPod(
      'nslookup nothing.default.svc.cluster.local; nslookup nothing.example.invalid && echo found',
    );
    assert.notEqual(code, 0);
    assert.match(stdout, /can't find nothing\.default\.svc\.cluster\.local: NXDOMAIN/);
    assert.ok(performance.now() - startedAt < 4000, `${performance.now() - startedAt} ms`);
  });

  it('keeps a client on one endpoint where the Service asks for it', async () => {
    const answers = await mustInPod('for i in $(seq 12); do timeout 3 wget -qO- http://sticky; done');
    assert.equal(new Set(answers.trim().split('\n')).size, 1, answers);
  });

  it('refuses at once where a Service has no endpoints', async () => {
    const clusterIp = await serviceField('empty', '.spec.clusterIP');
    const nodePort = await serviceField('empty', '.spec.ports[0].nodePort');
    for (const url of [`http://${clusterIp}/`, `http://127.0.0.1:${nodePort}/`])
      assert.equal(await failureOf(url), 'ECONNREFUSED', url);
    const { stderr } = await inPod('timeout 5 wget -qO- http://empty');
    assert.match(stderr, /Connection refused/);
  });

  it('follows endpoints as they come and go', async () => {
    await cluster.mustKubectl(['scale', 'deployment/web', '--replicas=1']);
    await cluster.mustKubectl([
      'wait',
      '--for=jsonpath={.status.replicas}=1',
      'deployment/web',
      '--timeout=30s',
    ]);
    const pod = await eventually('one pod', async () => {
      const pods = await webPods();
      assert.equal(pods.length, 1);
      return pods[0];
    });
    await eventually('only the pod that is left answers', async () => {
      const answers = await mustInPod('for i in $(seq 8); do timeout 3 wget -qO- http://web; done');
      assert.deepEqual([...new Set(answers.trim().split('\n'))], [pod]);
    });
  });
});
