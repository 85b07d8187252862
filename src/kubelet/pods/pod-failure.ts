/** Why the node ends a pod: evicted, past its deadline. Goes into the pod's status. */
export interface PodFailure {
  readonly reason: string;
  readonly message: string;
}
