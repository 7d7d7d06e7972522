export declare const patch: {
  readonly package: string;
  readonly version: string;
  readonly digest: string;
  readonly folders: readonly string[];
  readonly edits: readonly { file: string; why: string; from: string; to: string }[];
};
