import type { ContentStore } from '../content/content-store.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../content/media-types.ts';
import type { Descriptor, Digest, ImageConfig, ImageManifest } from '../content/media-types.ts';
import type { HistoryEntry, Platform, ProcessDefaults } from '../content/media-types.ts';
import type { ResolvedImage } from '../images/images.ts';

export interface ImageParts {
  readonly platform: Platform;
  readonly config: ProcessDefaults;
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffId: Digest }[];
  readonly history: readonly HistoryEntry[];
}

/** Writes config and manifest of layers that are in the store. The same parts give the same digests. */
export async function writeImage(content: ContentStore, parts: ImageParts): Promise<ResolvedImage> {
  const config: ImageConfig = {
    ...parts.platform,
    config: parts.config,
    rootfs: { type: 'layers', diff_ids: parts.layers.map((layer) => layer.diffId) },
    history: parts.history,
  };
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: await content.writeJson(config, OCI_CONFIG),
    layers: parts.layers.map((layer) => layer.descriptor),
  };
  const manifestDescriptor = await content.writeJson(manifest, OCI_MANIFEST);
  return { resolved: manifestDescriptor.digest, manifestDescriptor, manifest, config };
}
