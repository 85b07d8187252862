/** Job and CronJob. */
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { batchV1 } from '../../types/index.ts';
import { ageColumn, formatSelector, nameColumn, orNone, templateColumns } from '../columns.ts';
import { defineKind } from '../define-kind.ts';
import { humanDuration, since } from '../human-duration.ts';
import { defaultTemplate } from '../pod/defaults.ts';
import { fresh } from '../workloads/index.ts';
import { validateJobStatus } from './status-validation.ts';
import { validateCronJob, validateCronJobUpdate, validateJob, validateJobUpdate } from './validation.ts';

const CONTROLLER_UID = 'batch.kubernetes.io/controller-uid';
const JOB_NAME = 'batch.kubernetes.io/job-name';

function defaultJobSpec(spec: batchV1.JobSpec): batchV1.JobSpec {
  const single = spec.completions === undefined && spec.parallelism === undefined;
  return {
    ...spec,
    ...(single ? { completions: 1, parallelism: 1 } : { parallelism: spec.parallelism ?? 1 }),
    backoffLimit: spec.backoffLimit ?? (spec.backoffLimitPerIndex === undefined ? 6 : 2_147_483_647),
    completionMode: spec.completionMode ?? 'NonIndexed',
    suspend: spec.suspend ?? false,
    podReplacementPolicy:
      spec.podReplacementPolicy ?? (spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed'),
    ...(spec.manualSelector === undefined ? { manualSelector: false } : {}),
    template: defaultTemplate(spec.template),
  };
}

/** A job without labels gets those of its pods. */
function withTemplateLabels(job: batchV1.Job): batchV1.Job {
  const labels = job.spec.template.metadata?.labels;
  if (labels === undefined || Object.keys(job.metadata.labels ?? {}).length > 0) return job;
  return { ...job, metadata: { ...job.metadata, labels } };
}

/** A job finds its pods by its own uid, unless the selector was made by hand. */
function generateSelector(job: batchV1.Job): batchV1.Job {
  if (job.spec.manualSelector === true) return job;
  const own = {
    [CONTROLLER_UID]: job.metadata.uid,
    [JOB_NAME]: job.metadata.name,
    'controller-uid': job.metadata.uid,
    'job-name': job.metadata.name,
  };
  const { template, selector } = job.spec;
  return {
    ...job,
    spec: {
      ...job.spec,
      selector: {
        ...selector,
        matchLabels: { [CONTROLLER_UID]: job.metadata.uid, ...selector?.matchLabels },
      },
      template: {
        ...template,
        metadata: { ...template.metadata, labels: { ...own, ...template.metadata?.labels } },
      },
    },
  };
}

function jobStatus({ metadata, status }: batchV1.Job): string {
  const has = (type: string): boolean =>
    status.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true;
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running';
}

function completions({ spec, status }: batchV1.Job): string {
  const succeeded = status.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration({ status }: batchV1.Job, nowMs: number): string {
  if (status.startTime === undefined) return '';
  const end = status.completionTime === undefined ? nowMs : Date.parse(status.completionTime);
  return humanDuration(end - Date.parse(status.startTime));
}

const job = defineKind<batchV1.Job>({
  group: 'batch',
  kind: 'Job',
  setDefaults(object) {
    return { ...withTemplateLabels(object), spec: defaultJobSpec(object.spec) };
  },
  prepareForCreate: (object) => withTemplateLabels(generateSelector(fresh(object, {}))),
  validateCreate: validateJob,
  validateUpdate: validateJobUpdate,
  validateStatusUpdate: validateJobStatus,
  selectableFields: ({ status }) => ({ 'status.successful': String(status.succeeded ?? 0) }),
  columns: [
    nameColumn,
    { name: 'Status', description: 'Running, Complete, Failed, …', cell: jobStatus },
    { name: 'Completions', description: 'Pods that succeeded, of those needed.', cell: completions },
    { name: 'Duration', description: 'From the start to the end, or until now.', cell: jobDuration },
    ageColumn,
    ...templateColumns<batchV1.Job>((object) => object.spec.template),
    {
      name: 'Selector',
      description: 'Which pods belong to it.',
      wide: true,
      cell: ({ spec }) => formatSelector(spec.selector),
    },
  ],
});

const cronJob = defineKind<batchV1.CronJob>({
  group: 'batch',
  kind: 'CronJob',
  setDefaults: (object) => {
    const { jobTemplate } = object.spec;
    const spec = jobTemplate.spec;
    return spec === undefined
      ? object
      : {
          ...object,
          spec: {
            ...object.spec,
            jobTemplate: { ...jobTemplate, spec: { ...spec, template: defaultTemplate(spec.template) } },
          },
        };
  },
  prepareForCreate: (object) => fresh(object, {}),
  validateCreate: validateCronJob,
  validateUpdate: validateCronJobUpdate,
  columns: [
    nameColumn,
    { name: 'Schedule', description: 'When it runs, in cron notation.', cell: ({ spec }) => spec.schedule },
    {
      name: 'Timezone',
      description: 'The time zone of the schedule.',
      cell: ({ spec }) => orNone(spec.timeZone),
    },
    {
      name: 'Suspend',
      type: 'boolean',
      description: 'No new jobs while true.',
      cell: ({ spec }) => (spec.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False'),
    },
    {
      name: 'Active',
      type: 'integer',
      description: 'Jobs that run now.',
      cell: ({ status }) => status.active?.length ?? 0,
    },
    {
      name: 'Last Schedule',
      description: 'How long ago it ran last.',
      cell: ({ status }, nowMs) =>
        status.lastScheduleTime === undefined ? '<none>' : since(status.lastScheduleTime, nowMs),
    },
    ageColumn,
    ...templateColumns<batchV1.CronJob>((object) => object.spec.jobTemplate.spec?.template),
    {
      name: 'Selector',
      description: 'Which pods belong to it.',
      wide: true,
      cell: ({ spec }) => formatSelector(spec.jobTemplate.spec?.selector),
    },
  ],
});

export const batchKinds: readonly KindBehaviour[] = [job, cronJob];
