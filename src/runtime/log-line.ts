/** One line of the log of a runtime. */
export interface LogLine {
  /** Its place within the run, from 1 on. Lines are ordered by it. */
  readonly number: number;
  readonly at: string;
  readonly level: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
  readonly text: string;
}
