/** The programs that run on hosts. */

export const programs = ['agent', 'runtime'] as const;
export type ProgramName = (typeof programs)[number];

/** A program in one file. */
export interface Program {
  readonly text: string;
  /** Packages that must lie beside it. */
  readonly packages: readonly string[];
}
