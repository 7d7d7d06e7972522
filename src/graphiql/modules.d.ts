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

/** Whether the tab key leaves the editors; no option of an editor sets it. */
declare module 'monaco-editor/esm/vs/editor/browser/config/tabFocus.js' {
  export const TabFocus: { setTabFocusMode(leaves: boolean): void };
}

/** All that an editor of Monaco consists of. */
declare module 'monaco-editor/esm/vs/editor/edcore.main.js';
