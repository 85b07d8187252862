/** Prefers nodes that already have the pod's images, the more the larger they are and the more nodes have them. */
import type { coreV1 } from '#api';
import { MAX_SCORE, type SchedulerPlugin } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';

const MIB = 1024 * 1024;
/** Images below this are quickly pulled: not worth crowding a node for. */
const MIN_BYTES = 23 * MIB;
/** Per container; larger ones count as this large. */
const MAX_BYTES = 1000 * MIB;

/** As nodes report it: with a tag. */
const withTag = (image: string): string =>
  image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image;

function imagesOf({ spec }: coreV1.Pod): readonly string[] {
  const containers = [...(spec.initContainers ?? []), ...spec.containers].map(({ image }) => image ?? '');
  const volumes = (spec.volumes ?? []).flatMap(({ image }) => image?.reference ?? []);
  return [...containers, ...volumes].map(withTag);
}

function sizeOn({ node }: NodeInfo, image: string): number {
  return node.status.images?.find(({ names }) => names.includes(image))?.sizeBytes ?? 0;
}

export const imageLocality: SchedulerPlugin = {
  name: 'ImageLocality',
  scorerFor(pod, _feasible, snapshot) {
    const images = imagesOf(pod)
      .map((image) => ({ image, share: snapshot.nodesWithImage(image) / snapshot.nodes.length }))
      .filter(({ share }) => share > 0);
    if (images.length === 0) return undefined;
    const containers = pod.spec.containers.length + (pod.spec.initContainers ?? []).length;
    const maxBytes = MAX_BYTES * containers;
    return {
      weight: 1,
      score(node) {
        let bytes = 0;
        for (const { image, share } of images) bytes += Math.floor(sizeOn(node, image) * share);
        const bounded = Math.min(Math.max(bytes, MIN_BYTES), maxBytes);
        return Math.floor((MAX_SCORE * (bounded - MIN_BYTES)) / (maxBytes - MIN_BYTES));
      },
    };
  },
};
