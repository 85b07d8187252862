export {
  certificateApprovingController,
  certificateCleanerController,
  certificateSigningController,
  type SigningAuthority,
} from './certificate-controllers.ts';
