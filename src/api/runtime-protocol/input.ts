/** The input of runtimes and its checks. It is not trusted: a runtime may be another program. */
import type { InputIssue } from '../../store/input/save-result.ts';
import { builder } from '../base/builder.ts';
import { EndpointKind, LogLevel } from '../base/enums.ts';
import type { RuntimeLimits } from './limits.ts';

const RuntimeCommandOutcome = builder.enumType('RuntimeCommandOutcome', {
  values: ['DONE', 'FAILED'] as const,
});

const RuntimeReportKind = builder.enumType('RuntimeReportKind', {
  values: ['ONLINE', 'HEARTBEAT', 'FAULT'] as const,
});

const RuntimeEndpointInput = builder.inputType('RuntimeEndpointInput', {
  fields: (t) => ({
    kind: t.field({ type: EndpointKind, required: true }),
    name: t.string({ required: true }),
    protocol: t.string({ required: true }),
    address: t.string({ required: true }),
    port: t.int({ required: true }),
    path: t.string({ required: true }),
  }),
});

const RuntimeCountersInput = builder.inputType('RuntimeCountersInput', {
  fields: (t) => ({
    messagesAccepted: t.int({ required: true }),
    messagesRejected: t.int({ required: true }),
    inputCommands: t.int({ required: true }),
    valuesRefused: t.int(),
    memoryBytes: t.float(),
  }),
});

export const CompleteRuntimeCommandInput = builder.inputType('CompleteRuntimeCommandInput', {
  fields: (t) => ({
    command: t.id({ required: true }),
    run: t.id({ required: true }),
    outcome: t.field({ type: RuntimeCommandOutcome, required: true }),
    message: t.string(),
    endpoints: t.field({ type: [RuntimeEndpointInput] }),
  }),
});

export const ReportRuntimeInput = builder.inputType('ReportRuntimeInput', {
  fields: (t) => ({
    run: t.id({ required: true }),
    report: t.field({ type: RuntimeReportKind, required: true }),
    message: t.string(),
    counters: t.field({ type: RuntimeCountersInput }),
  }),
});

const DeviceValueInput = builder.inputType('DeviceValueInput', {
  fields: (t) => ({
    device: t.string({ required: true }),
    field: t.string({ required: true }),
    value: t.field({ type: 'JSON', required: true }),
    at: t.field({ type: 'DateTime', required: true }),
    number: t.float(),
  }),
});

export const ReportDeviceValuesInput = builder.inputType('ReportDeviceValuesInput', {
  fields: (t) => ({
    run: t.id({ required: true }),
    takenIn: t.id(),
    values: t.field({ type: [DeviceValueInput], required: true }),
  }),
});

const LogLineInput = builder.inputType('LogLineInput', {
  fields: (t) => ({
    number: t.float(),
    at: t.field({ type: 'DateTime', required: true }),
    level: t.field({ type: LogLevel, required: true }),
    text: t.string({ required: true }),
  }),
});

export const ReportLogsInput = builder.inputType('ReportLogsInput', {
  fields: (t) => ({
    run: t.id({ required: true }),
    lines: t.field({ type: [LogLineInput], required: true }),
    watch: t.id(),
    isCaughtUp: t.boolean(),
  }),
});

const most = { endpoints: 100, name: 200 };

const address = /^[0-9a-fA-F.:]{2,45}$/;
const protocol = /^[a-z][a-z0-9+.-]{0,19}$/;
const path = /^\/[\x21-\x7e]{0,499}$/;

class Issues {
  readonly found: InputIssue[] = [];

  /** Records the fault if `wrong` is true. */
  when(wrong: boolean, at: string, message: string): void {
    if (wrong && this.found.length < 20) this.found.push({ path: at, message });
  }

  text(value: string, at: string, most: number): void {
    this.when(value.length > most, at, `${value.length} characters are too many: ${most} at most.`);
  }
}

/** Faults of a completion. */
export function checkCompletion(
  input: typeof CompleteRuntimeCommandInput.$inferInput,
  limits: RuntimeLimits,
) {
  const issues = new Issues();
  issues.text(input.message ?? '', 'message', limits.textCharacters);
  const endpoints = input.endpoints ?? [];
  issues.when(endpoints.length > most.endpoints, 'endpoints', `${most.endpoints} at most.`);
  endpoints.slice(0, most.endpoints).forEach((endpoint, index) => {
    const at = `endpoints.${index}`;
    issues.text(endpoint.name, `${at}.name`, most.name);
    issues.when(
      !protocol.test(endpoint.protocol),
      `${at}.protocol`,
      'A protocol in lower case: http or mqtt.',
    );
    issues.when(!address.test(endpoint.address), `${at}.address`, 'An IP address, without a port.');
    issues.when(endpoint.port < 1 || endpoint.port > 65535, `${at}.port`, '1 to 65535.');
    issues.when(!path.test(endpoint.path), `${at}.path`, 'A path, / at least, percent-encoded.');
  });
  return issues.found;
}

/** Faults of a report. */
export function checkReport(input: typeof ReportRuntimeInput.$inferInput, limits: RuntimeLimits) {
  const issues = new Issues();
  issues.text(input.message ?? '', 'message', limits.textCharacters);
  for (const [name, count] of Object.entries(input.counters ?? {})) {
    issues.when((count ?? 0) < 0, `counters.${name}`, 'Zero or more.');
  }
  return issues.found;
}

/** Faults of values of devices. */
export function checkDeviceValues(
  { values }: typeof ReportDeviceValuesInput.$inferInput,
  limits: RuntimeLimits,
) {
  const issues = new Issues();
  const many = limits.valuesPerReport;
  issues.when(values.length > many, 'values', `${many} at most, in one report.`);
  values.slice(0, many).forEach(({ device, field, value, number }, index) => {
    const at = `values.${index}`;
    issues.when(device === '', `${at}.device`, 'It is empty.');
    issues.text(device, `${at}.device`, most.name);
    issues.text(field, `${at}.field`, most.name);
    const bytes = Buffer.byteLength(JSON.stringify(value));
    const tooMany = `${bytes} bytes of JSON are too many: ${limits.valueBytes} at most.`;
    issues.when(bytes > limits.valueBytes, `${at}.value`, tooMany);
    const isNumber = number == null || (Number.isSafeInteger(number) && number > 0);
    issues.when(!isNumber, `${at}.number`, 'A whole number from 1 on, less than 2^53.');
  });
  return issues.found;
}

/** Faults of lines of a log. */
export function checkLogLines(
  { lines }: typeof ReportLogsInput.$inferInput,
  limits: RuntimeLimits,
) {
  const issues = new Issues();
  const many = limits.logLinesPerReport;
  issues.when(lines.length > many, 'lines', `${many} at most, in one report.`);
  const [first] = lines;
  let before = 0;
  lines.slice(0, many).forEach(({ number, text }, index) => {
    issues.text(text, `lines.${index}.text`, limits.textCharacters);
    const at = `lines.${index}.number`;
    const isNumbered = number != null;
    issues.when(isNumbered !== (first?.number != null), at, 'All lines have one, or none.');
    if (!isNumbered) return;
    issues.when(!Number.isSafeInteger(number), at, 'A whole number, less than 2^53.');
    issues.when(number <= before, at, 'Greater than that of the line before, and than 0.');
    before = number;
  });
  return issues.found;
}
