declare module 'example-operations' {
  /** The operations of `schema/operations/`, in their order. */
  export const operations: readonly { readonly name: string; readonly document: string }[];
}
declare module '*.css';
