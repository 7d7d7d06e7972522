/** Text of the schema and of comments, whose code stands between backticks. */
export function Text({ children }: { children: string }) {
  return children.split('`').map((part, index) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text have no other identity
    index % 2 === 1 ? <code key={index}>{part}</code> : part,
  );
}
