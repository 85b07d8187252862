export { jobController } from './job-controller.ts';
