import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { removeFromKubeconfig, takeDown } from '#launcher';
import { layoutFor, userKubeconfigPath } from '../context.ts';
import type { Progress } from '../progress.ts';

/** True when there was something to take down. */
export async function down(name: string, purge: boolean, progress: Progress): Promise<boolean> {
  const layout = layoutFor(name);
  progress.step(`taking cluster ${name} down${purge ? ', data too' : ''}`);
  const existed = await takeDown(layout, { purge });
  const kubeconfig = userKubeconfigPath();
  if (purge && existsSync(kubeconfig)) {
    const text = readFileSync(kubeconfig, 'utf8');
    const without = removeFromKubeconfig(text, name);
    if (without !== text && text.includes(layout.name)) writeFileSync(kubeconfig, without, { mode: 0o600 });
  }
  progress.done();
  return existed;
}
