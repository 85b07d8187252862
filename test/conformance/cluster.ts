/** A cluster for one run of the suite: real nodes where the machine can, with upstream's test images on them. */
import { TestCluster } from '../tools/test-cluster.ts';

export interface SuiteCluster extends AsyncDisposable {
  readonly kubeconfig: string;
}

export async function startClusterForSuite(options: {
  readonly name: string;
  readonly simulate: boolean;
}): Promise<SuiteCluster> {
  const cluster = new TestCluster(options.name);
  await cluster.up(options.simulate ? ['--simulate', '--nodes', '2'] : []);
  return { kubeconfig: cluster.kubeconfig, [Symbol.asyncDispose]: () => cluster.clear() };
}
