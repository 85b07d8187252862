/** Signals a container can be stopped with. */
export const WINDOWS_SIGNALS: readonly string[] = ['SIGKILL', 'SIGTERM'];

const NAMED =
  'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ';
const upTo = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);

/** Sorted, as messages list them. */
export const LINUX_SIGNALS: readonly string[] = [
  ...NAMED.split(' ').map((name) => `SIG${name}`),
  'SIGRTMIN',
  ...upTo(15, 'SIGRTMIN+'),
  'SIGRTMAX',
  ...upTo(14, 'SIGRTMAX-'),
].sort();
