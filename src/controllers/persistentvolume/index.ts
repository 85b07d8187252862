export { persistentVolumeController } from './persistentvolume-controller.ts';
