export { endpointSliceMirroringController } from './endpointslicemirroring-controller.ts';
