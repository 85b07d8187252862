/** Who may approve and sign certificates of which signer, and whose names no certificate may carry. */
import type { certificatesV1 } from '#api';
import type { UserInfo } from '#machinery';
import type { Authorizer } from '../authorization/authorizer.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { requestedSubject } from './certificate-request.ts';
import { refusal, resourceOf } from './refusal.ts';

const REQUESTS = 'certificatesigningrequests.certificates.k8s.io';
const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';

type SigningRequest = certificatesV1.CertificateSigningRequest;

/** For the signer by name, or for all signers of its domain: `example.com/*`. */
function mayUseSigner(authorizer: Authorizer, user: UserInfo, verb: string, signer: string): boolean {
  const allowed = (name: string): boolean =>
    authorizer.authorize({
      user,
      verb,
      group: 'certificates.k8s.io',
      version: '*',
      resource: 'signers',
      name,
    }).verdict === 'allow';
  return allowed(signer) || allowed(`${signer.split('/')[0]}/*`);
}

export function certificateApproval(options: { readonly authorizer: Authorizer }): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    validate(attributes: AdmissionAttributes): void {
      const { operation, oldObject, user } = attributes;
      if (operation !== 'UPDATE' || resourceOf(attributes) !== `${REQUESTS}/approval`) return;
      if (oldObject === undefined) return;
      const { signerName } = typed<SigningRequest>(oldObject).spec;
      if (!mayUseSigner(options.authorizer, user, 'approve', signerName)) {
        throw refusal(
          attributes,
          `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`,
        );
      }
    },
  };
}

export function certificateSigning(options: { readonly authorizer: Authorizer }): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    validate(attributes: AdmissionAttributes): void {
      const { operation, object, oldObject, user } = attributes;
      if (operation !== 'UPDATE' || resourceOf(attributes) !== `${REQUESTS}/status`) return;
      if (object === undefined || oldObject === undefined) return;
      const [before, after] = [typed<SigningRequest>(oldObject), typed<SigningRequest>(object)];
      const issued = ({ status }: SigningRequest): string =>
        JSON.stringify([status?.certificate, status?.conditions ?? []]);
      if (issued(before) === issued(after)) return;
      const { signerName } = before.spec;
      if (!mayUseSigner(options.authorizer, user, 'sign', signerName)) {
        throw refusal(
          attributes,
          `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`,
        );
      }
    },
  };
}

export const certificateSubjectRestriction: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  validate(attributes: AdmissionAttributes): void {
    const { operation, object } = attributes;
    if (operation !== 'CREATE' || object === undefined || resourceOf(attributes) !== REQUESTS) return;
    const { signerName, request } = typed<SigningRequest>(object).spec;
    if (signerName !== CLIENT_SIGNER) return;
    let organizations: readonly string[];
    try {
      ({ organizations } = requestedSubject(request));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw refusal(attributes, `failed to parse CSR: ${why}`);
    }
    if (organizations.includes('system:masters')) {
      throw refusal(attributes, `use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`);
    }
  },
};
