/** Where a kind keeps what Scale shows; paths as in a CustomResourceDefinition, `.spec.replicas`. */
export interface ScalePaths {
  readonly specReplicas: string;
  readonly statusReplicas: string;
  /** Absent: the kind has no selector to show. */
  readonly selector: string | undefined;
}

export const BUILTIN_SCALE: ScalePaths = {
  specReplicas: '.spec.replicas',
  statusReplicas: '.status.replicas',
  selector: '.spec.selector',
};
