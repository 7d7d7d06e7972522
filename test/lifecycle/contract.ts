/**
 * The contract of both machines, typed by hand. The code is compared with this, never with itself:
 * nothing here is imported from `src/`. The rules: docs/lifecycle.md.
 */
const ILL = 'ILLEGAL_TRANSITION';
const ALR = 'ALREADY_IN_STATE';
const RST = 'RESTART_REQUIRED';
const REM = 'REMOVE_REQUIRED';
const BUSY = 'OPERATION_IN_PROGRESS';
const OK = 'accepted, no row';

/** Splits a table: rows by line, cells by white space; `-` is an empty cell, `ok` is `OK`. */
function table(text: string): [string, string[]][] {
  const short: Record<string, string> = { ILL, ALR, RST, REM, BUSY, ok: OK, '-': '' };
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', ...cells] = line.trim().split(/\s+/);
      return [name, cells.map((cell) => short[cell] ?? cell)];
    });
}

const rows = <Column extends string>(columns: readonly Column[], text: string) =>
  Object.fromEntries(
    table(text).map(([state, cells]) => [
      state,
      Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ''])),
    ]),
  ) as Record<string, Record<Column, string>>;

/** The facts of each state. */
export const instanceFacts = rows(
  ['class', 'takesMessages', 'takesInputCommands', 'seconds', 'onExpiry', 'failsTo', 'meter'],
  `
  OFFLINE              AT_REST   no  no  -   -                    -                    -
  STARTING_RUNTIME     TRANSIENT no  no  120 FAILED_TO_INITIALIZE FAILED_TO_INITIALIZE -
  INITIALIZING         TRANSIENT no  no  120 FAILED_TO_INITIALIZE FAILED_TO_INITIALIZE -
  STARTING             TRANSIENT no  no  60  FAILED_TO_START      FAILED_TO_START      -
  RUNNING              LIVE      yes yes -   -                    FATAL_ERROR          RUN
  PAUSING              TRANSIENT no  yes 60  FATAL_ERROR          FATAL_ERROR          -
  PAUSED               LIVE      no  yes -   -                    FATAL_ERROR          PAUSED
  STOPPING             TRANSIENT no  no  30  STOPPED              FATAL_ERROR          -
  STOPPED              AT_REST   no  no  -   -                    -                    -
  FAILED_TO_INITIALIZE ERROR     no  no  -   -                    -                    -
  FAILED_TO_START      ERROR     no  no  -   -                    -                    -
  FATAL_ERROR          ERROR     no  no  -   -                    -                    -`,
);

/** Commands by state, and a forced stop while an operation is active. */
export const instanceCells = rows(
  [
    'DEPLOY',
    'START',
    'RESUME',
    'PAUSE',
    'STOP',
    'FORCE_STOP',
    'RESTART',
    'UPDATE_RUNTIME',
    'DETACH',
    'DELETE',
    'superseding',
  ],
  `
  OFFLINE              STARTING_RUNTIME STARTING_RUNTIME ILL ILL ILL ILL ILL ok ok ok ok
  STARTING_RUNTIME     BUSY BUSY BUSY BUSY BUSY STOPPING BUSY BUSY BUSY BUSY STOPPING
  INITIALIZING         BUSY BUSY BUSY BUSY BUSY STOPPING BUSY BUSY BUSY BUSY STOPPING
  STARTING             BUSY BUSY BUSY BUSY BUSY STOPPING BUSY BUSY BUSY BUSY STOPPING
  RUNNING              ALR ALR ALR PAUSING STOPPING STOPPING STOPPING ok ILL ILL STOPPING
  PAUSING              BUSY BUSY BUSY BUSY BUSY STOPPING BUSY BUSY BUSY BUSY STOPPING
  PAUSED               STARTING STARTING STARTING ALR STOPPING STOPPING STOPPING ok ILL ILL STOPPING
  STOPPING             BUSY BUSY BUSY BUSY BUSY ok BUSY BUSY BUSY BUSY ok
  STOPPED              STARTING_RUNTIME STARTING_RUNTIME ILL ILL ALR ALR STARTING_RUNTIME ok OFFLINE ILL ok
  FAILED_TO_INITIALIZE RST RST RST RST RST RST STARTING_RUNTIME STARTING_RUNTIME OFFLINE ILL BUSY
  FAILED_TO_START      RST RST RST RST RST RST STARTING_RUNTIME STARTING_RUNTIME OFFLINE ILL BUSY
  FATAL_ERROR          RST RST RST RST RST RST STARTING_RUNTIME STARTING_RUNTIME OFFLINE ILL BUSY`,
);

/** `desired` after a command. */
export const desiredAfter: Record<string, string> = {
  DEPLOY: 'RUNNING',
  START: 'RUNNING',
  RESUME: 'RUNNING',
  RESTART: 'RUNNING',
  PAUSE: 'PAUSED',
  STOP: 'STOPPED',
  FORCE_STOP: 'STOPPED',
  DETACH: 'STOPPED',
};

const pairs = (text: string) =>
  new Set(table(text).flatMap(([from, to]) => to.map((state) => `${from} ${state}`)));

/** Every legal edge. */
export const instanceEdgeSet = pairs(`
  OFFLINE              STARTING_RUNTIME
  STARTING_RUNTIME     INITIALIZING FAILED_TO_INITIALIZE STOPPING OFFLINE
  INITIALIZING         STARTING FAILED_TO_INITIALIZE STOPPING OFFLINE
  STARTING             RUNNING PAUSED FAILED_TO_START STOPPING OFFLINE
  RUNNING              PAUSING STOPPING FATAL_ERROR OFFLINE
  PAUSING              PAUSED STOPPING FATAL_ERROR OFFLINE
  PAUSED               STARTING STOPPING FATAL_ERROR OFFLINE
  STOPPING             STOPPED FATAL_ERROR OFFLINE
  STOPPED              STARTING_RUNTIME OFFLINE
  FAILED_TO_INITIALIZE STARTING_RUNTIME OFFLINE
  FAILED_TO_START      STARTING_RUNTIME OFFLINE
  FATAL_ERROR          STARTING_RUNTIME OFFLINE`);

/**
 * What an observation leads to: the state entered, or what is set without a row. A state that is
 * missing ignores it. The rules: docs/lifecycle.md, "Edges" and "Reachability is not state".
 */
export const instanceObserved: Record<string, Record<string, string>> = {
  RUNTIME_ONLINE: {
    STARTING_RUNTIME: 'INITIALIZING',
    ...each(
      'INITIALIZING STARTING RUNNING PAUSING PAUSED STOPPING FAILED_TO_INITIALIZE FAILED_TO_START FATAL_ERROR',
      'reachability OK',
    ),
  },
  RUNTIME_SEEN: each(
    'STARTING_RUNTIME INITIALIZING STARTING RUNNING PAUSING PAUSED STOPPING FAILED_TO_INITIALIZE FAILED_TO_START FATAL_ERROR',
    'reachability OK',
  ),
  RUNTIME_SILENT: each(
    'STARTING_RUNTIME INITIALIZING STARTING RUNNING PAUSING PAUSED STOPPING',
    'reachability UNKNOWN',
  ),
  LOAD_SOLUTION_DONE: { INITIALIZING: 'STARTING' },
  LOAD_SOLUTION_FAILED: { INITIALIZING: 'FAILED_TO_INITIALIZE' },
  START_LISTENING_DONE: { STARTING: 'RUNNING' },
  START_LISTENING_FAILED: { STARTING: 'FAILED_TO_START' },
  PAUSE_DONE: { PAUSING: 'PAUSED' },
  PAUSE_FAILED: { PAUSING: 'FATAL_ERROR' },
  RESUME_DONE: { STARTING: 'RUNNING' },
  RESUME_FAILED: { STARTING: 'FAILED_TO_START' },
  RUNTIME_FAULT: {
    ...each('STARTING_RUNTIME INITIALIZING', 'FAILED_TO_INITIALIZE'),
    STARTING: 'FAILED_TO_START',
    ...each('RUNNING PAUSING PAUSED', 'FATAL_ERROR'),
  },
  RUNTIME_GONE: {
    ...each('STARTING_RUNTIME INITIALIZING', 'FAILED_TO_INITIALIZE'),
    STARTING: 'FAILED_TO_START',
    ...each('RUNNING PAUSING PAUSED', 'FATAL_ERROR'),
    STOPPING: 'STOPPED',
    ...each('FAILED_TO_INITIALIZE FAILED_TO_START FATAL_ERROR', 'gone'),
  },
  START_FAILED: { STARTING_RUNTIME: 'FAILED_TO_INITIALIZE' },
  KILL_UNCONFIRMED: {
    STOPPING: 'FATAL_ERROR',
    ...each('FAILED_TO_INITIALIZE FAILED_TO_START FATAL_ERROR', 'detach failed'),
  },
  RESTART_CONTINUES: each(
    'STOPPED FAILED_TO_INITIALIZE FAILED_TO_START FATAL_ERROR',
    'STARTING_RUNTIME',
  ),
  IMAGE_PULLED: each('RUNNING PAUSED', 'STOPPING'),
  PULL_FAILED: each('RUNNING PAUSED', 'update failed'),
  PULL_DEADLINE: each('RUNNING PAUSED', 'update failed'),
  INSTANCE_DEADLINE: {
    ...each('STARTING_RUNTIME INITIALIZING', 'FAILED_TO_INITIALIZE'),
    STARTING: 'FAILED_TO_START',
    PAUSING: 'FATAL_ERROR',
    STOPPING: 'STOPPED',
  },
};

/** Events of a host: the state that its instances enter, and for which `desired`. */
export const hostEffect: Record<
  string,
  { readonly desired: readonly string[]; readonly enters: Record<string, string> }
> = {
  HOST_DEPLOYED: { desired: ['RUNNING'], enters: { OFFLINE: 'STARTING_RUNTIME' } },
  HOST_BACK: { desired: ['RUNNING', 'PAUSED'], enters: { OFFLINE: 'STARTING_RUNTIME' } },
  CONTAINER_UP: {
    desired: ['RUNNING', 'PAUSED'],
    enters: each(
      'OFFLINE STOPPED FAILED_TO_INITIALIZE FAILED_TO_START FATAL_ERROR',
      'STARTING_RUNTIME',
    ),
  },
  HOST_STOPS: {
    desired: ['RUNNING', 'PAUSED', 'STOPPED'],
    enters: each('STARTING_RUNTIME INITIALIZING STARTING RUNNING PAUSING PAUSED', 'STOPPING'),
  },
  HOST_GONE: {
    desired: ['RUNNING', 'PAUSED', 'STOPPED'],
    enters: each(
      'STARTING_RUNTIME INITIALIZING STARTING RUNNING PAUSING PAUSED STOPPING STOPPED FAILED_TO_INITIALIZE FAILED_TO_START FATAL_ERROR',
      'OFFLINE',
    ),
  },
};

/** The host's tables: facts, cells, edges and observations. */
export const hostFacts = rows(
  ['class', 'billed', 'checked', 'carriesInstances', 'seconds', 'onExpiry', 'ifItAnswers'],
  `
  OFFLINE              AT_REST   no  no  no  -   -                   -
  DEPLOYING            TRANSIENT no  no  yes 600 FAILED_DEPLOYMENT   -
  CONFIGURING_DNS      TRANSIENT yes no  yes 120 FAILED_DEPLOYMENT   -
  DEPLOYING_CONTAINER  TRANSIENT yes no  yes 900 FAILED_DEPLOYMENT   -
  STARTING_CONTAINER   TRANSIENT yes no  yes 120 FAILED_HEALTH_CHECK RUNNING
  RUNNING              LIVE      yes yes yes -   -                   -
  RESTARTING_HOST      TRANSIENT yes no  yes 300 FAILED_HEALTH_CHECK -
  RESTARTING_CONTAINER TRANSIENT yes yes yes 120 FAILED_HEALTH_CHECK RUNNING
  FAILED_DEPLOYMENT    ERROR     no  no  no  -   -                   -
  FAILED_HEALTH_CHECK  ERROR     yes yes yes -   -                   -`,
);

export const hostCells = rows(
  ['DEPLOY', 'RESTART', 'RESTART_CONTAINER', 'REMOVE', 'FORCE_REMOVE', 'DELETE'],
  `
  OFFLINE              DEPLOYING ILL ILL ILL ILL ok
  DEPLOYING            BUSY BUSY BUSY BUSY ok ILL
  CONFIGURING_DNS      BUSY BUSY BUSY BUSY ok ILL
  DEPLOYING_CONTAINER  BUSY BUSY BUSY BUSY ok ILL
  STARTING_CONTAINER   BUSY BUSY BUSY BUSY ok ILL
  RUNNING              ALR RESTARTING_HOST RESTARTING_CONTAINER ok ok ILL
  RESTARTING_HOST      BUSY BUSY BUSY BUSY ok ILL
  RESTARTING_CONTAINER BUSY BUSY BUSY BUSY ok ILL
  FAILED_DEPLOYMENT    REM REM REM ok ok ILL
  FAILED_HEALTH_CHECK  ILL RESTARTING_HOST ILL ok ok ILL`,
);

export const hostEdgeSet = pairs(`
  OFFLINE              DEPLOYING
  DEPLOYING            CONFIGURING_DNS FAILED_DEPLOYMENT OFFLINE
  CONFIGURING_DNS      DEPLOYING_CONTAINER FAILED_DEPLOYMENT OFFLINE
  DEPLOYING_CONTAINER  STARTING_CONTAINER FAILED_DEPLOYMENT OFFLINE
  STARTING_CONTAINER   RUNNING FAILED_HEALTH_CHECK OFFLINE
  RUNNING              RESTARTING_HOST RESTARTING_CONTAINER FAILED_HEALTH_CHECK OFFLINE
  RESTARTING_HOST      STARTING_CONTAINER FAILED_HEALTH_CHECK OFFLINE
  RESTARTING_CONTAINER RUNNING FAILED_HEALTH_CHECK OFFLINE
  FAILED_DEPLOYMENT    OFFLINE
  FAILED_HEALTH_CHECK  RUNNING RESTARTING_HOST OFFLINE`);

export const hostObserved: Record<string, Record<string, string>> = {
  HOST_ONLINE: { DEPLOYING: 'CONFIGURING_DNS' },
  DNS_ANSWERS: { CONFIGURING_DNS: 'DEPLOYING_CONTAINER' },
  CONTAINER_CREATED: { DEPLOYING_CONTAINER: 'STARTING_CONTAINER' },
  STAGE_FAILED: each('DEPLOYING CONFIGURING_DNS DEPLOYING_CONTAINER', 'FAILED_DEPLOYMENT'),
  HOST_ANSWERS: { STARTING_CONTAINER: 'RUNNING', RESTARTING_HOST: 'STARTING_CONTAINER' },
  RUNTIMES_GONE: { RESTARTING_HOST: 'runtimes lost' },
  CONTAINER_UP: { RESTARTING_CONTAINER: 'RUNNING' },
  RUNTIME_ONLINE: { STARTING_CONTAINER: 'RUNNING' },
  CHECK_ANSWERED: { FAILED_HEALTH_CHECK: 'RUNNING' },
  CHECK_MISSED: each('RUNNING RESTARTING_CONTAINER', 'FAILED_HEALTH_CHECK'),
  HOST_DEADLINE: {
    ...each('DEPLOYING CONFIGURING_DNS DEPLOYING_CONTAINER', 'FAILED_DEPLOYMENT'),
    ...each('STARTING_CONTAINER RESTARTING_HOST RESTARTING_CONTAINER', 'FAILED_HEALTH_CHECK'),
  },
  COMPUTE_RELEASED: { FAILED_DEPLOYMENT: 'compute forgotten' },
  HOST_REMOVED: each(
    'DEPLOYING CONFIGURING_DNS DEPLOYING_CONTAINER STARTING_CONTAINER RUNNING RESTARTING_HOST RESTARTING_CONTAINER FAILED_DEPLOYMENT FAILED_HEALTH_CHECK',
    'OFFLINE',
  ),
};

export const removalSeconds = 300;
export const accepted = OK;

function each(states: string, cell: string): Record<string, string> {
  return Object.fromEntries(states.split(' ').map((state) => [state, cell]));
}
