/** The protocol of runtimes: commands and reports. Only the key of a run gives access. */
import { GraphQLError } from 'graphql';
import { refuse } from '../../lifecycle/refusal.ts';
import { reportDeviceValues } from '../../store/command/device-values.ts';
import { recordLogFollowed } from '../../store/command/log-watches.ts';
import {
  completeRuntimeCommand,
  openRuntimeCommands,
  type ReportResult,
  type RuntimeCommandRow,
  reportLogs,
  reportRuntime,
} from '../../store/command/runtime-reports.ts';
import { readLastValues } from '../../store/read/devices.ts';
import { readRuntimeCommand } from '../../store/read/reads.ts';
import { watchRuntime } from '../../store/work/checks.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import { RuntimeCommandKind } from '../base/enums.ts';
import { streamOf } from '../base/graphql-stream.ts';
import { readsOf } from '../base/reads.ts';
import type { RunViewer } from '../base/viewer.ts';
import { DeviceValue } from '../entity/device.ts';
import { Instance } from '../entity/instance.ts';
import { RuntimeReportRefused, refusedReport } from '../mutation/refusals.ts';
import {
  InvalidInput,
  invalidInput,
  notFound,
  ResourceNotFound,
  resultType,
} from '../result/user-errors.ts';
import { type LogWatchChange, logTopic, logWatchOf } from '../subscription/log-watch.ts';
import {
  CompleteRuntimeCommandInput,
  checkCompletion,
  checkDeviceValues,
  checkLogLines,
  checkReport,
  ReportDeviceValuesInput,
  ReportLogsInput,
  ReportRuntimeInput,
} from './input.ts';
import { type RuntimeLimits, runtimeLimits } from './limits.ts';

/** Delay of the check of a runtime whose command stream ended: a process that exits is gone by then. */
const checkDelaySeconds = 0.05;

const RuntimeCommand = builder.objectRef<RuntimeCommandRow>('RuntimeCommand').implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    kind: t.expose('kind', { type: RuntimeCommandKind }),
    run: t.exposeID('runId'),
    payload: t.expose('payload', { type: 'JSON' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

const RuntimeLogWatch = builder
  .objectRef<LogWatchChange>('RuntimeLogWatch')
  .implement({ fields: (t) => ({ id: t.exposeID('id', { nullable: true }) }) });

/**
 * The run that sends the request.
 *
 * @throws a GraphQLError if the viewer is not a run
 */
function runOf({ viewer }: Context): RunViewer {
  if (viewer.kind === 'RUN') return viewer;
  throw new GraphQLError('This is for runtimes, with the key of their run.', {
    extensions: { code: 'FORBIDDEN' },
  });
}

builder.subscriptionField('runtimeCommands', (t) =>
  t.field({
    type: RuntimeCommand,
    subscribe: (_root, _args, context) => {
      const { runId, instanceId } = runOf(context);
      let sent = 0;
      return streamOf(
        context.feed.eventSignals(instanceId),
        async () => {
          const open = await openRuntimeCommands(context.store, runId);
          const commands = open.filter(({ ordinal }) => ordinal > sent);
          sent = commands.at(-1)?.ordinal ?? sent;
          return commands;
        },
        // The runtime may have exited. If the check cannot be scheduled, missed heartbeats lead to one.
        () => void watchRuntime(context.store, instanceId, checkDelaySeconds).catch(() => {}),
      );
    },
    resolve: (command) => command as RuntimeCommandRow,
  }),
);

builder.subscriptionField('runtimeLogWatch', (t) =>
  t.field({
    type: RuntimeLogWatch,
    subscribe: (_root, _args, context) => logWatchOf(context, runOf(context)),
    resolve: (watch) => watch as LogWatchChange,
  }),
);

interface Reported<Name extends string> {
  readonly __typename: Name;
  readonly instanceId: string;
}

const RuntimeLimitsType = builder.objectRef<RuntimeLimits>('RuntimeLimits').implement({
  fields: (t) => ({
    reportBytes: t.exposeInt('reportBytes'),
    valuesPerReport: t.exposeInt('valuesPerReport'),
    valueBytes: t.exposeInt('valueBytes'),
    logLinesPerReport: t.exposeInt('logLinesPerReport'),
    textCharacters: t.exposeInt('textCharacters'),
  }),
});

const RuntimeReportAccepted = builder
  .objectRef<Reported<'RuntimeReportAccepted'>>('RuntimeReportAccepted')
  .implement({
    fields: (t) => ({
      instance: t.drizzleField({
        type: Instance,
        resolve: async (query, { instanceId }, _args, context) =>
          (await readsOf(context, 'instances').findFirst(query({ where: { id: instanceId } })))!,
      }),
      limits: t.field({
        type: RuntimeLimitsType,
        resolve: (_report, _args, { server }) => runtimeLimits(server.limits),
      }),
    }),
  });

interface Completed {
  readonly __typename: 'RuntimeCommandCompleted';
  readonly command: RuntimeCommandRow;
}

const RuntimeCommandCompleted = builder
  .objectRef<Completed>('RuntimeCommandCompleted')
  .implement({ fields: (t) => ({ command: t.expose('command', { type: RuntimeCommand }) }) });

const ReportRuntimeResult = resultType('ReportRuntimeResult', [
  RuntimeReportAccepted,
  RuntimeReportRefused,
  InvalidInput,
  ResourceNotFound,
]);

/** A report that names another run than its key. */
const ofAnotherRun = () =>
  refusedReport(
    refuse('STALE_REPORT', 'The report names another run than the one of its key. Exit.'),
  );

/** The member of a result for a report that the store did not accept. */
function notAccepted(result: Exclude<ReportResult, { outcome: 'ACCEPTED' }>) {
  switch (result.outcome) {
    case 'REFUSED':
      return refusedReport(result.refusal);
    case 'INVALID':
      return invalidInput(result.issues);
    case 'NOT_FOUND':
      return notFound(result.kind, result.reference);
    default:
      return result satisfies never;
  }
}

/** Executes a report of the run of `input`, unless the input has a fault. */
async function report(
  context: Context,
  input: { run: string },
  {
    issues,
    apply,
  }: {
    issues: readonly { path: string; message: string }[];
    apply: (runId: string) => Promise<ReportResult>;
  },
) {
  const { runId } = runOf(context);
  if (input.run !== runId) return ofAnotherRun();
  if (issues.length > 0) return invalidInput(issues);
  const result = await apply(runId);
  if (result.outcome !== 'ACCEPTED') return notAccepted(result);
  return { __typename: 'RuntimeReportAccepted' as const, instanceId: result.instanceId };
}

builder.queryFields((t) => ({
  runtimeDeviceValues: t.field({
    type: [DeviceValue],
    nullable: true,
    args: { device: t.arg.string({ required: true }), after: t.arg.string() },
    resolve: async (_root, { device, after }, context) => {
      const { valuesPerReport, reportBytes } = runtimeLimits(context.server.limits);
      return readLastValues(context.store, {
        ...{ instanceId: runOf(context).instanceId, device, after: after ?? '' },
        ...{ mostValues: valuesPerReport, mostBytes: reportBytes },
      });
    },
  }),
}));

builder.mutationFields((t) => ({
  completeRuntimeCommand: t.field({
    type: resultType('CompleteRuntimeCommandResult', [
      RuntimeCommandCompleted,
      RuntimeReportRefused,
      InvalidInput,
      ResourceNotFound,
    ]),
    nullable: true,
    args: { input: t.arg({ type: CompleteRuntimeCommandInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const { runId } = runOf(context);
      if (input.run !== runId) return ofAnotherRun();
      const issues = checkCompletion(input, runtimeLimits(context.server.limits));
      if (issues.length > 0) return invalidInput(issues);
      const result = await completeRuntimeCommand(context.store, {
        runId,
        commandId: input.command,
        done: input.outcome === 'DONE',
        message: input.message ?? null,
        endpoints: input.endpoints ?? null,
      });
      if (result.outcome !== 'ACCEPTED') return notAccepted(result);
      const command = await readRuntimeCommand(context.store, runId, input.command);
      if (!command) return notFound('RuntimeCommand', input.command);
      return { __typename: 'RuntimeCommandCompleted' as const, command };
    },
  }),
  reportRuntime: t.field({
    type: ReportRuntimeResult,
    nullable: true,
    args: { input: t.arg({ type: ReportRuntimeInput, required: true }) },
    resolve: (_root, { input }, context) =>
      report(context, input, {
        issues: checkReport(input, runtimeLimits(context.server.limits)),
        apply: (runId) =>
          reportRuntime(context.store, {
            runId,
            report: input.report,
            message: input.message ?? null,
            counters: input.counters ? withoutNulls(input.counters) : null,
          }),
      }),
  }),
  reportDeviceValues: t.field({
    type: ReportRuntimeResult,
    nullable: true,
    args: { input: t.arg({ type: ReportDeviceValuesInput, required: true }) },
    resolve: (_root, { input }, context) =>
      report(context, input, {
        issues: checkDeviceValues(input, runtimeLimits(context.server.limits)),
        apply: (runId) =>
          reportDeviceValues(context.store, {
            runId,
            takenIn: input.takenIn ?? null,
            values: input.values.map(({ value, number, ...rest }) => ({
              ...rest,
              value,
              number: number ?? null,
            })),
          }),
      }),
  }),
  reportLogs: t.field({
    type: ReportRuntimeResult,
    nullable: true,
    args: { input: t.arg({ type: ReportLogsInput, required: true }) },
    resolve: (_root, { input }, context) =>
      report(context, input, {
        issues: checkLogLines(input, runtimeLimits(context.server.limits)),
        apply: async (runId) => {
          const lines = input.lines.map((line) => ({ ...line, number: line.number ?? null }));
          const watch = input.watch ?? null;
          const result = await reportLogs(context.store, { runId, lines, watch });
          if (watch !== null && input.isCaughtUp === true) {
            await recordLogFollowed(context.store, { watch, runId });
          }
          if (result.outcome === 'ACCEPTED') context.feed.signal(logTopic(result.instanceId));
          return result;
        },
      }),
  }),
}));

function withoutNulls(counters: Readonly<Record<string, number | null | undefined>>) {
  return Object.fromEntries(
    Object.entries(counters).filter((entry): entry is [string, number] => entry[1] != null),
  );
}
