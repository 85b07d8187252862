import type { KubeObject, ResourceTarget, UserInfo } from '#machinery';
import type { AdmissionPlugin } from './admission.ts';

/**
 * Admission of what is answered but not stored: reviews, tokens, bindings, evictions. Both phases in a row, since
 * nothing happens between them.
 * @returns the body as the plugins left it. @throws StatusError when one refuses.
 */
export async function admitComputed(
  plugins: readonly AdmissionPlugin[],
  target: ResourceTarget,
  body: KubeObject,
  call: {
    readonly user: UserInfo;
    readonly dryRun: boolean;
    readonly warn: (text: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<KubeObject> {
  const { user, dryRun, warn, signal } = call;
  const attributes = {
    operation: 'CREATE' as const,
    target,
    kind: body.kind,
    user,
    oldObject: undefined,
    dryRun,
    warn,
    signal,
  };
  let object = body;
  for (const plugin of plugins) object = (await plugin.mutate?.({ ...attributes, object })) ?? object;
  for (const plugin of plugins) await plugin.validate?.({ ...attributes, object });
  return object;
}
