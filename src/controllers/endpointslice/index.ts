export { endpointSliceController } from './endpointslice-controller.ts';
