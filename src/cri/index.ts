/** The contract between kubelet and container runtime (CRI). */
export * from './runtime.ts';
