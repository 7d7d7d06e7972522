declare module 'example-operations' {
  export interface ExampleOperation {
    /** Name of the file without number and ending: `watch-instance`. */
    readonly name: string;
    /** Name of its first operation: `WatchInstance`. */
    readonly title: string;
    readonly group: 'watch' | 'command' | 'look' | 'understand';
    readonly description: string;
    readonly document: string;
  }
  /** The operations of `schema/operations/`, in their order. */
  export const operations: readonly ExampleOperation[];
}
declare module '*.css';
