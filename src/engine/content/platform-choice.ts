import type { Descriptor, ImageIndex, Platform } from './media-types.ts';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm' };

/** The platform of this machine in the words of images. */
export function hostPlatform(architecture: string = process.arch): Platform {
  return { os: 'linux', architecture: ARCHITECTURES[architecture] ?? architecture };
}

export const platformName = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');

/** `linux/arm64/v8` or `arm64`. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  if (parts.length === 1) return { os: 'linux', architecture: parts[0] ?? '' };
  const [os = '', architecture = '', variant] = parts;
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

const matches = (wanted: Platform, offered: Platform | undefined): boolean =>
  offered !== undefined &&
  offered.os === wanted.os &&
  offered.architecture === wanted.architecture &&
  (wanted.variant === undefined || offered.variant === wanted.variant);

/** An image that exists, but not for this machine. */
export class PlatformError extends Error {
  constructor(wanted: Platform, offered: readonly (Platform | undefined)[]) {
    const names = [...new Set(offered.filter((p) => p !== undefined).map(platformName))];
    super(
      `no match for platform in manifest: this machine is ${platformName(wanted)}, ` +
        `the image is for ${names.length === 0 ? 'none named' : names.join(', ')}`,
    );
    this.name = 'PlatformError';
  }
}

/** The entry of an index to run on `wanted`. @throws PlatformError. */
export function choosePlatform(index: ImageIndex, wanted: Platform): Descriptor {
  const found = index.manifests.find((entry) => matches(wanted, entry.platform));
  if (found !== undefined) return found;
  // An index of one image that names no platform is that image.
  const [only] = index.manifests;
  if (only !== undefined && index.manifests.length === 1 && only.platform === undefined) return only;
  throw new PlatformError(
    wanted,
    index.manifests.map((entry) => entry.platform),
  );
}

/** @throws PlatformError when an image config is for another machine. */
export function assertRunsOn(config: Platform, wanted: Platform): void {
  if (config.architecture === '' || config.architecture === undefined) return;
  if (!matches({ os: wanted.os, architecture: wanted.architecture }, config)) {
    throw new PlatformError(wanted, [config]);
  }
}
