export { resourceQuotaController } from './resourcequota-controller.ts';
