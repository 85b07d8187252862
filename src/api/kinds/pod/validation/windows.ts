/** What pods for Windows may say, and those for Linux may not. */
import { type FieldPath, fieldForbidden, invalid, validateDns1123Subdomain } from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { addInvalid, type Errors } from '../../field-rules.ts';
import { allContainers } from './security.ts';

const MAX_SPEC_KIB = 64;
const MAX_DOMAIN_LENGTH = 256;
const MAX_USER_LENGTH = 104;
const netBios = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const dnsLabel = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

export function checkWindowsOptions(
  options: coreV1.WindowsSecurityContextOptions | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (options === undefined) return;
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  if (gmsaCredentialSpecName !== undefined) {
    const path = at.child('gmsaCredentialSpecName');
    addInvalid(validateDns1123Subdomain(gmsaCredentialSpecName), path, gmsaCredentialSpecName, errors);
  }
  if (gmsaCredentialSpec !== undefined) {
    const path = at.child('gmsaCredentialSpec');
    if (gmsaCredentialSpec === '') {
      errors.push(invalid(path, gmsaCredentialSpec, 'gmsaCredentialSpec cannot be an empty string'));
    } else if (Buffer.byteLength(gmsaCredentialSpec) > MAX_SPEC_KIB * 1024) {
      const why = `gmsaCredentialSpec size must be under ${MAX_SPEC_KIB} KiB`;
      errors.push(invalid(path, gmsaCredentialSpec, why));
    }
  }
  if (runAsUserName !== undefined) {
    const messages = userNameProblems(runAsUserName).map((text) => `runAsUserName${text}`);
    addInvalid(messages, at.child('runAsUserName'), runAsUserName, errors);
  }
}

function userNameProblems(name: string): readonly string[] {
  if (name === '') return [' cannot be an empty string'];
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return [' cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return [' cannot contain more than one backslash'];
  const user = parts.at(-1) ?? '';
  const domain = parts.length === 2 ? (parts[0] ?? '') : undefined;
  const problems: string[] = [];
  if (domain !== undefined) {
    if (domain.length >= MAX_DOMAIN_LENGTH) {
      problems.push(`'s Domain length must be under ${MAX_DOMAIN_LENGTH} characters`);
    }
    if (!netBios.test(domain) && !domain.split('.').every((label) => dnsLabel.test(label))) {
      problems.push("'s Domain doesn't match the NetBios nor the DNS format");
    }
  }
  if (user === '') problems.push("'s User cannot be empty");
  else if (user.length > MAX_USER_LENGTH) {
    problems.push(`'s User length must not be longer than ${MAX_USER_LENGTH} characters`);
  }
  if (/^[. ]+$/.test(user)) problems.push("'s User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    problems.push(`'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]`);
  }
  return problems;
}

const hostProcessOf = (
  context: { readonly windowsOptions?: { readonly hostProcess?: boolean } } | undefined,
) => context?.windowsOptions?.hostProcess;

/** Either all containers are processes of the host, on its network, or none is. */
export function checkHostProcess(spec: coreV1.PodSpec, at: FieldPath, errors: Errors): void {
  const ofPod = hostProcessOf(spec.securityContext);
  let total = 0;
  let onHost = 0;
  for (const { container, path } of allContainers(spec, at)) {
    total++;
    const own = hostProcessOf(container.securityContext);
    if (own !== undefined && ofPod !== undefined && own !== ofPod) {
      const why = `pod hostProcess value must be identical if both are specified, was ${ofPod}`;
      errors.push(invalid(path.child('securityContext', 'windowsOptions', 'hostProcess'), own, why));
    }
    if (own ?? ofPod ?? false) onHost++;
  }
  if (onHost === 0) return;
  if (onHost !== total) {
    const why =
      'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    errors.push(invalid(at, '', why));
  }
  if (spec.hostNetwork !== true) {
    const why = 'hostNetwork must be true if pod contains any hostProcess containers';
    errors.push(invalid(at.child('hostNetwork'), false, why));
  }
}

const OF_POD_ON_LINUX = [
  ['securityContext', 'appArmorProfile'],
  ['securityContext', 'seLinuxOptions'],
  ['', 'hostUsers'],
  ['', 'hostPID'],
  ['', 'hostIPC'],
  ['securityContext', 'seccompProfile'],
  ['securityContext', 'fsGroup'],
  ['securityContext', 'fsGroupChangePolicy'],
  ['securityContext', 'sysctls'],
  ['', 'shareProcessNamespace'],
  ['securityContext', 'runAsUser'],
  ['securityContext', 'runAsGroup'],
  ['securityContext', 'supplementalGroups'],
  ['securityContext', 'supplementalGroupsPolicy'],
  ['securityContext', 'seLinuxChangePolicy'],
] as const;

const OF_CONTAINER_ON_LINUX = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;

type Fields = Readonly<Record<string, unknown>>;

/** Fields that mean nothing on the operating system the pod says it is for. */
export function checkOperatingSystem(spec: coreV1.PodSpec, at: FieldPath, errors: Errors): void {
  if (spec.os?.name === 'linux') {
    const why = 'windows options cannot be set for a linux pod';
    if (spec.securityContext?.windowsOptions !== undefined) {
      errors.push(fieldForbidden(at.child('securityContext', 'windowsOptions'), why));
    }
    for (const { container, path } of allContainers(spec, at)) {
      if (container.securityContext?.windowsOptions === undefined) continue;
      errors.push(fieldForbidden(path.child('securityContext', 'windowsOptions'), why));
    }
  }
  if (spec.os?.name !== 'windows') return;
  const why = 'cannot be set for a windows pod';
  for (const [holder, field] of OF_POD_ON_LINUX) {
    const owner = (holder === '' ? spec : spec.securityContext) as Fields | undefined;
    const value = owner?.[field];
    // The host's namespaces are plain booleans: false is the same as absent.
    const isAbsent = value === undefined || ((field === 'hostPID' || field === 'hostIPC') && value === false);
    if (!isAbsent)
      errors.push(fieldForbidden(holder === '' ? at.child(field) : at.child(holder, field), why));
  }
  for (const { container, path } of allContainers(spec, at)) {
    for (const field of OF_CONTAINER_ON_LINUX) {
      if (container.securityContext?.[field] === undefined) continue;
      errors.push(fieldForbidden(path.child('securityContext', field), why));
    }
  }
}
